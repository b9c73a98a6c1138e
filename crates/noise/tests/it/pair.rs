//! Two sides of one handshake, and what they say to each other.

use hypercore_noise::{
    Dialect, DialectChoice, Error, Handshake, KeyPair, Outcome, Randomness, Role,
};

pub(crate) const DIALECTS: [Dialect; 2] = [Dialect::V8, Dialect::V9];

/// A side whose keys follow from a number.
pub(crate) fn side(role: Role, choice: DialectChoice, seed: u8) -> Handshake {
    let pair = KeyPair::from_seed([seed; 32]);
    let randomness = Randomness {
        ephemeral: [seed ^ 0x55; 32],
        nonce: [seed ^ 0xaa; 24],
    };
    Handshake::new(role, choice, pair, randomness).unwrap()
}

pub(crate) fn initiator(dialect: Dialect) -> Handshake {
    side(Role::Initiator, DialectChoice::Fixed(dialect), 1)
}

pub(crate) fn responder(dialect: Dialect) -> Handshake {
    side(Role::Responder, DialectChoice::Fixed(dialect), 2)
}

/// Hands bytes in, in pieces of `size`, and accepts whoever it is. Gives what is answered and how much was taken.
pub(crate) fn hear(
    side: &mut Handshake,
    bytes: &[u8],
    size: usize,
) -> Result<(Vec<u8>, usize), Error> {
    let (mut pending, mut taken, mut said) = (Vec::new(), 0, Vec::new());
    for piece in bytes.chunks(size) {
        pending.extend_from_slice(piece);
        let consumed = side.handle_bytes(&pending)?;
        pending.drain(..consumed);
        taken += consumed;
        if side.needs_authentication().is_some() {
            side.authenticate(true)?;
        }
        said.extend(side.poll_transmit().unwrap_or_default());
    }
    Ok((said, taken))
}

/// The three messages of an honest handshake.
pub(crate) fn messages(dialect: Dialect) -> [Vec<u8>; 3] {
    let (mut a, mut b) = (initiator(dialect), responder(dialect));
    let first = a.poll_transmit().unwrap();
    let (second, _) = hear(&mut b, &first, usize::MAX).unwrap();
    let (third, _) = hear(&mut a, &second, usize::MAX).unwrap();
    hear(&mut b, &third, usize::MAX).unwrap();
    assert!(a.is_finished() && b.is_finished());
    [first, second, third]
}

/// Whether two outcomes belong together.
pub(crate) fn assert_meet(mut a: Outcome, mut b: Outcome) {
    assert_eq!(a.dialect, b.dialect);
    assert_eq!(a.handshake_hash, b.handshake_hash);
    assert_hears(&mut a, &mut b);
    assert_hears(&mut b, &mut a);
}

fn assert_hears(from: &mut Outcome, to: &mut Outcome) {
    let mut bytes = [7; 100];
    from.tx.apply(&mut bytes);
    assert_ne!(bytes, [7; 100]);
    to.rx.apply(&mut bytes);
    assert_eq!(bytes, [7; 100]);
    let key = [9; 32];
    let shown = from.capability.local(&key);
    assert!(to.capability.verify(&key, &shown));
    assert!(!to.capability.verify(&[8; 32], &shown));
    // Sent back to its maker it is worth nothing.
    assert!(!from.capability.verify(&key, &shown));
}
