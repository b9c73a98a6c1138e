//! `fuzz::protocol::protocol_pair` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::protocol::protocol_pair(data));
