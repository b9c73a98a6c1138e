//! `fuzz::wire::wire_message` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::wire_message(data));
