//! `fuzz::merkle::merkle_portable` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::merkle::merkle_portable(data));
