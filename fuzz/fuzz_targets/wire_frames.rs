//! `fuzz::wire::wire_frames` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::wire::wire_frames(data));
