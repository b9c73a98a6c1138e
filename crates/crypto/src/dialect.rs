//! The two dialects: what JavaScript hypercore 8 signs and what 9 signs.

use core::{fmt, str::FromStr};

/// Which JavaScript version's handshake and signed bytes are meant. Nothing else differs between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Hypercore 8: signs the tree hash. Version 9 accepts these signatures too.
    #[default]
    V8,
    /// Hypercore 9: signs the tree hash and the length.
    V9,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::V8 => "8",
            Dialect::V9 => "9",
        })
    }
}

/// The text is neither `8` nor `9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such dialect: use 8 or 9")]
pub struct UnknownDialect;

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        match text {
            "8" => Ok(Dialect::V8),
            "9" => Ok(Dialect::V9),
            _ => Err(UnknownDialect),
        }
    }
}
