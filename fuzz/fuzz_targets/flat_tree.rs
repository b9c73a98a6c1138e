//! `fuzz::flat_tree::flat_tree` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::flat_tree::flat_tree(data));
