//! `fuzz::hypercore::facade` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hypercore::facade(data));
