//! The vectors: bytes that the JavaScript packages produced, as JSON files and directories of feeds.
//!
//! They live in `vectors/` of this crate (its README says what wrote them). `HYPERCORE_VECTORS` names another folder
//! of the same layout, so that sets made with other seeds run through the same tests.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;

/// The folder of the vectors in use.
pub fn folder() -> PathBuf {
    match std::env::var_os("HYPERCORE_VECTORS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"),
    }
}

/// Parses one vector file, for example `hashes.json`.
///
/// # Panics
/// If the file is missing or is no JSON.
pub fn load(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("cannot parse {}: {error}", path.display()))
}

/// The bytes that a JSON string holds in hex.
///
/// # Panics
/// If the value is no string of hex digits.
pub fn hex(value: &Value) -> Vec<u8> {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"));
    HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .unwrap_or_else(|error| panic!("not hex: {text}: {error}"))
}

/// The same for a value of fixed length, such as a key or a hash.
///
/// # Panics
/// If the length differs.
pub fn hex_array<const N: usize>(value: &Value) -> [u8; N] {
    let bytes = hex(value);
    let len = bytes.len();
    bytes
        .try_into()
        .unwrap_or_else(|_| panic!("{len} bytes where {N} were expected"))
}

/// An unsigned integer.
///
/// # Panics
/// If the value is none.
pub fn int(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("not an unsigned integer: {value}"))
}

/// A list of unsigned integers.
///
/// # Panics
/// If the value is no such list.
pub fn ints(value: &Value) -> Vec<u64> {
    list(value).iter().map(int).collect()
}

/// A list.
///
/// # Panics
/// If the value is none.
pub fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {value}"))
}

/// Block `index` of a pattern feed: byte `j` is `(base + 31 * index + 7 * j) & 255`.
pub fn pattern_block(base: u64, index: u64, len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|j| (base.wrapping_add(31 * index).wrapping_add(7 * j) & 255) as u8)
        .collect()
}
