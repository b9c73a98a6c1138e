//! `fuzz::crypto::crypto_hashes` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::crypto::crypto_hashes(data));
