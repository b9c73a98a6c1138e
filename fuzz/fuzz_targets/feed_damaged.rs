//! `fuzz::feed::feed_damaged` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::feed::feed_damaged(data));
