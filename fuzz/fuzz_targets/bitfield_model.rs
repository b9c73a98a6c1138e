//! `fuzz::bitfield::bitfield_model` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bitfield::bitfield_model(data));
