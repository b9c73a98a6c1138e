//! `fuzz::merkle::merkle_index` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::merkle::merkle_index(data));
