//! The messages of the hypercore 8 and 9 wire protocol, their frames and run-length codes.
