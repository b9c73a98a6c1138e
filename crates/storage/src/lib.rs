//! Bytes at offsets: where the six files of a feed live.
