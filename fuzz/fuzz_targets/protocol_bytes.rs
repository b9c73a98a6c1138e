//! `fuzz::protocol::protocol_bytes` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::protocol::protocol_bytes(data));
