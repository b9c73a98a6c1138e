//! What each side decides before the first byte: its role and its dialect.

use crypto::Dialect;

/// The two sides of a handshake. Nothing on the wire tells them apart: by convention the side that connects initiates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Speaks first.
    Initiator,
    /// Answers.
    Responder,
}

/// Which dialect to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialectChoice {
    /// This one.
    Fixed(Dialect),
    /// The one that the responder speaks. Only an initiator can choose this: its first message is the same in both dialects,
    /// and the answer opens in one of them only. A responder has to answer before it could know.
    Auto,
}

impl Default for DialectChoice {
    fn default() -> Self {
        DialectChoice::Fixed(Dialect::default())
    }
}
