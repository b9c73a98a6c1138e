//! A man in the middle of an honest connection. He can't read it, but nothing in the stream shows what he changes.

use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use hypercore::Role;
use testkit::Rng;

use crate::{
    arena::Arena,
    attack::{Attack, MIB, Must::Either, Play, Victim},
    hostile::patiently,
    net::Socket,
};

/// How many bytes the handshake has towards the victim, which is the responder.
const HANDSHAKE: u64 = 59 + 91;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        middle("mitm-flip", |arena| {
            Box::pin(between(arena, 12, |rng, _, mut bytes| {
                for byte in &mut bytes {
                    if rng.one_in(2_000) {
                        *byte ^= 1 << rng.below(8);
                    }
                }
                bytes
            }))
        }),
        middle("mitm-flip-early", |arena| {
            Box::pin(between(arena, 40, |rng, at, mut bytes| {
                // Among the first messages behind the handshake.
                let nth = rng.below(300);
                if let Some(byte) = nth.checked_sub(at).and_then(|n| bytes.get_mut(n as usize)) {
                    *byte ^= 1 << rng.below(8);
                }
                bytes
            }))
        }),
        middle("mitm-drop", |arena| {
            Box::pin(between(arena, 12, |rng, _, mut bytes| {
                if rng.one_in(6) {
                    let len = rng.below(bytes.len() as u64 + 1) as usize;
                    bytes.truncate(len);
                }
                bytes
            }))
        }),
        middle("mitm-double", |arena| {
            Box::pin(between(arena, 12, |rng, _, bytes| match rng.one_in(6) {
                true => bytes.repeat(2),
                false => bytes,
            }))
        }),
        middle("mitm-insert", |arena| {
            Box::pin(between(arena, 12, |rng, _, mut bytes| {
                if rng.one_in(6) {
                    let more = rng.bytes(40);
                    bytes.extend(more);
                }
                bytes
            }))
        }),
        middle("mitm-zeros", |arena| {
            Box::pin(between(arena, 12, |rng, _, mut bytes| {
                if rng.one_in(6) {
                    bytes.fill(0);
                }
                bytes
            }))
        }),
        middle("mitm-gap", |arena| {
            Box::pin(between(arena, 12, |rng, at, mut bytes| {
                if at > rng.below(40_000) {
                    bytes.clear();
                }
                bytes
            }))
        }),
    ]
}

fn middle(name: &'static str, play: fn(Arena) -> Play) -> Attack {
    Attack::new(name, Either, play)
        .on(Victim::Copy)
        .memory(2 * MIB)
}

/// What becomes of bytes that are so far behind the handshake.
type Change = fn(&mut Rng, u64, Vec<u8>) -> Vec<u8>;

/// Stands between the author and the victim, so many times.
async fn between(arena: Arena, times: usize, change: Change) {
    for _ in 0..times {
        let (author, near) = arena.cable();
        let session = arena.session(arena.author(), Role::Initiator, author, None);
        let session = arena
            .sim()
            .spawn("the author's, through a stranger", session);
        let mut far = arena.accept();
        let mut near = near;
        let carried = carry(&arena, &mut near, &mut far, change);
        patiently(arena.sim(), Duration::from_secs(4), carried).await;
        drop((near, far));
        session.cancel();
    }
}

async fn carry(arena: &Arena, author: &mut Socket, victim: &mut Socket, change: Change) {
    let mut rng = arena.rng();
    let (mut from_author, mut to_author) = futures_lite::io::split(author);
    let (mut from_victim, mut to_victim) = futures_lite::io::split(victim);
    let back = async {
        let _ = futures_lite::io::copy(&mut from_victim, &mut to_author).await;
    };
    let forth = async {
        let mut passed = 0;
        let mut piece = vec![0; 700];
        while let Ok(len @ 1..) = from_author.read(&mut piece).await {
            let mut bytes = piece[..len].to_vec();
            let secret = HANDSHAKE.saturating_sub(passed).min(len as u64) as usize;
            let rest = bytes.split_off(secret);
            if !rest.is_empty() {
                let at = (passed + secret as u64) - HANDSHAKE;
                bytes.extend(change(&mut rng, at, rest));
            }
            passed += len as u64;
            arena.sent(bytes.len());
            if to_victim.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    future::or(forth, back).await;
}
