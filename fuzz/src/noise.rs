//! Handshakes with strangers and with people in the middle, and the stream cipher in pieces.

use noise::{Dialect, DialectChoice, Error, Handshake, KeyPair, Randomness, Role, StreamCipher};
use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit, StreamCipher as _},
};

/// The longest of the three messages, with its length in front.
const LONGEST: usize = 123;

fn side(role: Role, choice: DialectChoice) -> Handshake {
    let seed = match role {
        Role::Initiator => 1,
        Role::Responder => 2,
    };
    let randomness = Randomness {
        ephemeral: [seed + 2; 32],
        nonce: [seed + 4; 24],
    };
    Handshake::new(role, choice, KeyPair::from_seed([seed; 32]), randomness)
        .expect("only an initiator is left to choose")
}

/// Hands bytes over in pieces, accepts whoever it is, and gives what was said and taken.
fn hear(side: &mut Handshake, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize), Error> {
    let (mut pending, mut taken) = (Vec::new(), 0);
    let mut said = side.poll_transmit().unwrap_or_default();
    for piece in bytes.chunks(piece) {
        pending.extend_from_slice(piece);
        let consumed = side.handle_bytes(&pending)?;
        assert!(consumed <= pending.len());
        pending.drain(..consumed);
        taken += consumed;
        if side.needs_authentication().is_some() {
            side.authenticate(true)?;
        }
        let answer = side.poll_transmit().unwrap_or_default();
        assert!(answer.len() <= LONGEST);
        said.extend(answer);
    }
    Ok((said, taken))
}

/// The first byte chooses our role, the dialect, and who is in between; the second one the size of the pieces. Then either a
/// stranger says the rest, or somebody changes the last message of an honest peer by it.
pub fn noise_handshake(data: &[u8]) {
    let [how, piece, input @ ..] = data else {
        return;
    };
    let role = match how & 1 {
        0 => Role::Initiator,
        _ => Role::Responder,
    };
    let dialect = match how >> 1 & 1 {
        0 => Dialect::V8,
        _ => Dialect::V9,
    };
    let choice = match (how >> 2 & 1, role) {
        (1, Role::Initiator) => DialectChoice::Auto,
        _ => DialectChoice::Fixed(dialect),
    };
    let piece = usize::from(*piece) + 1;
    match how >> 3 & 1 {
        0 => stranger(role, choice, input, piece),
        _ => changed(role, choice, dialect, input, piece),
    }
}

fn stranger(role: Role, choice: DialectChoice, input: &[u8], piece: usize) {
    let (mut whole, mut pieces) = (side(role, choice), side(role, choice));
    let heard = hear(&mut whole, input, usize::MAX);
    assert_eq!(hear(&mut pieces, input, piece), heard);
    assert_eq!(pieces.is_finished(), whole.is_finished());
    if heard.is_err() {
        assert!(!whole.is_finished());
        assert_eq!(whole.handle_bytes(input), Err(Error::OutOfTurn));
    }
}

fn changed(role: Role, choice: DialectChoice, dialect: Dialect, input: &[u8], piece: usize) {
    let mut ours = side(role, choice);
    let fixed = DialectChoice::Fixed(dialect);
    let mut message = match role {
        Role::Initiator => {
            let first = ours.poll_transmit().expect("it speaks first");
            let mut theirs = side(Role::Responder, fixed);
            hear(&mut theirs, &first, usize::MAX)
                .expect("it is honest")
                .0
        }
        Role::Responder => {
            let mut theirs = side(Role::Initiator, fixed);
            let first = theirs.poll_transmit().expect("it speaks first");
            let (second, _) = hear(&mut ours, &first, usize::MAX).expect("it is honest");
            hear(&mut theirs, &second, usize::MAX)
                .expect("it is honest")
                .0
        }
    };
    let honest = message.clone();
    for change in input.chunks_exact(2).take(8) {
        // Not the length: a message that is cut waits for the rest.
        let at = 1 + usize::from(change[0]) % (message.len() - 1);
        message[at] ^= change[1];
    }
    let heard = hear(&mut ours, &message, piece);
    assert_eq!(ours.is_finished(), message == honest, "{heard:?}");
    assert_eq!(heard.is_ok(), message == honest);
}

/// In pieces or whole, the stream is the same, that of the crate `salsa20`, and the same key stream takes it back.
pub fn noise_stream(data: &[u8]) {
    let [key, nonce, piece, text @ ..] = data else {
        return;
    };
    let cipher = || StreamCipher::new(&[*key; 32], &[*nonce; 24]);
    let mut whole = text.to_vec();
    cipher().apply(&mut whole);
    let mut pieces = text.to_vec();
    let mut one = cipher();
    let size = usize::from(*piece) + 1;
    let (front, back) = pieces.split_at_mut(text.len() / 2);
    for piece in front.chunks_mut(size).chain(back.chunks_mut(2 * size - 1)) {
        one.apply(piece);
    }
    assert_eq!(pieces, whole);
    let mut other = text.to_vec();
    XSalsa20::new(&[*key; 32].into(), &[*nonce; 24].into()).apply_keystream(&mut other);
    assert_eq!(other, whole);
    cipher().apply(&mut whole);
    assert_eq!(whole, text);
}
