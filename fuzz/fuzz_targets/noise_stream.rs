//! `fuzz::noise::noise_stream` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::noise::noise_stream(data));
