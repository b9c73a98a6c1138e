//! `fuzz::storage::storage_batches` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::storage::storage_batches(data));
