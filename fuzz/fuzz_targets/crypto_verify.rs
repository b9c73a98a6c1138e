//! `fuzz::crypto::crypto_verify` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::crypto::crypto_verify(data));
