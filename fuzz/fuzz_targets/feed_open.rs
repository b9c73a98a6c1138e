//! `fuzz::feed::feed_open` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::feed::feed_open(data));
