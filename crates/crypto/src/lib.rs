//! Hashes, keys and signatures of hypercore feeds.
