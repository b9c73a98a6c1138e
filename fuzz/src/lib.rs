//! What must hold for any bytes at all, one module for each crate.
//!
//! A body is a plain function of bytes that asserts properties: round trips, equality with a naive model, growth that
//! stays below a bound. So it runs in three ways: under libFuzzer (`fuzz_targets/`, three lines each), over what is saved
//! in `corpus/` and `regressions/`, and over seeded random inputs. The last two are `tests/replay.rs`, on stable, without
//! libFuzzer.

pub mod bitfield;
pub mod crypto;
pub mod feed;
pub mod flat_tree;
pub mod hypercore;
pub mod merkle;
pub mod noise;
pub mod protocol;
pub mod replicate;
pub mod storage;
pub mod wire;

/// A body: it panics if something doesn't hold for these bytes.
pub type Body = fn(&[u8]);

/// All targets by name. Each has a corpus, a file in `fuzz_targets/` and a section in `Cargo.toml`, which the replay
/// checks.
pub const TARGETS: &[(&str, Body)] = &[
    ("bitfield_model", bitfield::bitfield_model),
    ("crypto_hashes", crypto::crypto_hashes),
    ("crypto_verify", crypto::crypto_verify),
    ("facade", hypercore::facade),
    ("feed_damaged", feed::feed_damaged),
    ("feed_model", feed::feed_model),
    ("feed_open", feed::feed_open),
    ("feed_put", feed::feed_put),
    ("flat_tree", flat_tree::flat_tree),
    ("merkle_copies", merkle::merkle_copies),
    ("merkle_index", merkle::merkle_index),
    ("merkle_portable", merkle::merkle_portable),
    ("merkle_proof", merkle::merkle_proof),
    ("noise_handshake", noise::noise_handshake),
    ("noise_stream", noise::noise_stream),
    ("protocol_bytes", protocol::protocol_bytes),
    ("protocol_pair", protocol::protocol_pair),
    ("range_set_model", bitfield::range_set_model),
    ("replicate", replicate::replicate),
    ("storage_batches", storage::storage_batches),
    ("wire_frames", wire::wire_frames),
    ("wire_message", wire::wire_message),
    ("wire_rle", wire::wire_rle),
    ("wire_varint", wire::wire_varint),
];
