//! A secure, distributed append-only log, compatible with JavaScript hypercore 8 and 9.
