//! Peers that lie. Each loses its connection with a typed error, nothing of what it said is stored, and the feed goes on
//! with an honest peer.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_std::task;
use bytes::Bytes;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore::{Dialect, Error, Hypercore, PeerError, ProtocolError, Role};
use wire::{Data, Message};

use crate::{
    duplex::{Duplex, duplex},
    pair::{assert_same, connect, reader_of, writer},
    relay::{flip, relay},
};

/// Clones through a man in the middle who changes the Data messages, then from the writer itself.
fn refused(dialect: Dialect, mut change: impl FnMut(&mut Data) -> bool + Send + 'static) {
    task::block_on(async {
        let writer = writer(33, dialect).await;
        let reader = reader_of(&writer).await;
        let changed = Arc::new(AtomicUsize::new(0));
        let (reader_end, to_reader) = duplex(64 * 1024);
        let (to_writer, writer_end) = duplex(64 * 1024);
        let server = task::spawn(writer.replicate(Role::Responder, writer_end).into_future());
        let middle = {
            let (key, dialect, changed) = (writer.key(), writer.dialect(), Arc::clone(&changed));
            task::spawn(relay(
                key,
                dialect,
                to_reader,
                to_writer,
                move |mut message| {
                    if let Message::Data(data) = &mut message
                        && change(data)
                    {
                        changed.fetch_add(1, Ordering::Relaxed);
                    }
                    vec![message]
                },
            ))
        };
        let result = reader.replicate(Role::Initiator, reader_end).await;
        assert!(
            changed.load(Ordering::Relaxed) > 0,
            "nothing was tampered with"
        );
        assert!(
            matches!(&result, Err(Error::Peer(PeerError::Verification { .. }))),
            "{result:?}"
        );
        middle.await;
        let _ = server.await;
        honest_afterwards(&reader, &writer).await;
    });
}

/// What is stored is the writer's, and an honest connection brings the rest.
async fn honest_afterwards(reader: &Hypercore, writer: &Hypercore) {
    for block in 0..writer.len() {
        if reader.has(block) {
            assert_eq!(
                reader.get(block).await.unwrap(),
                writer.get(block).await.unwrap()
            );
        }
    }
    let (left, right) = connect(reader, writer, false);
    left.await.unwrap();
    right.await.unwrap();
    assert_same(writer, reader).await;
}

// Hide the dialect where it makes no difference.
fn refused_in_both(change: impl FnMut(&mut Data) -> bool + Clone + Send + 'static) {
    refused(Dialect::V8, change.clone());
    refused(Dialect::V9, change);
}

#[test]
fn a_tampered_block_is_refused() {
    let mut seen = 0;
    refused_in_both(move |data| {
        seen += 1;
        match &data.value {
            Some(value) if seen > 4 && !value.is_empty() => {
                data.value = Some(flip(value, seen));
                true
            }
            _ => false,
        }
    });
}

#[test]
fn a_longer_block_is_refused() {
    refused_in_both(|data| {
        let mut value = data.value.as_deref().unwrap_or_default().to_vec();
        value.push(0);
        data.value = Some(value.into());
        true
    });
}

#[test]
fn a_tampered_hash_is_refused() {
    refused_in_both(|data| match data.nodes.first_mut() {
        Some(node) => {
            node.hash[7] ^= 4;
            true
        }
        None => false,
    });
}

#[test]
fn a_tampered_size_is_refused() {
    refused_in_both(|data| match data.nodes.last_mut() {
        Some(node) => {
            node.size += 1;
            true
        }
        None => false,
    });
}

#[test]
fn a_tampered_signature_is_refused() {
    refused_in_both(|data| match &mut data.signature {
        Some(signature) => {
            signature[40] ^= 1;
            true
        }
        None => false,
    });
}

#[test]
fn a_block_beside_genuine_roots_is_refused() {
    // The attack that JavaScript's verifier falls for: a made-up block, no uncles, genuine roots and signature. These are here
    // from the first answer.
    let mut genuine = None;
    refused_in_both(move |data| {
        genuine = genuine.or(data.signature);
        if data.signature.is_some() {
            return false;
        }
        data.signature = genuine;
        let len = data.value.as_ref().map_or(0, Bytes::len);
        data.value = Some(vec![0x66; len + 1].into());
        data.nodes.clear();
        true
    });
}

#[test]
fn a_wrong_capability_ends_the_connection() {
    task::block_on(async {
        let writer = writer(3, Dialect::V8).await;
        let reader = reader_of(&writer).await;
        let (reader_end, to_reader) = duplex(4096);
        // The middle relays bytes between two handshakes without knowing the key: the capability is bound to the
        // handshake, so that of the writer doesn't fit on the reader's side.
        let result = {
            let far = task::spawn(wrong_capability(to_reader, writer.key()));
            let result = reader.replicate(Role::Initiator, reader_end).await;
            far.await;
            result
        };
        assert!(
            matches!(
                result,
                Err(Error::Peer(PeerError::Protocol(ProtocolError::Capability)))
            ),
            "{result:?}"
        );
        honest_afterwards(&reader, &writer).await;
    });
}

/// Plays a responder that names the right feed but shows a capability made for another handshake.
async fn wrong_capability(mut socket: Duplex, key: hypercore::PublicKey) {
    use hypercore::DialectChoice;
    use noise::{Handshake, KeyPair, Randomness};

    let mut handshake = Handshake::new(
        Role::Responder,
        DialectChoice::Fixed(Dialect::V8),
        KeyPair::from_seed([5; 32]),
        Randomness {
            ephemeral: [6; 32],
            nonce: [7; 24],
        },
    )
    .unwrap();
    let mut input = Vec::new();
    while !handshake.is_finished() {
        let mut chunk = [0; 1024];
        let len = socket.read(&mut chunk).await.unwrap();
        assert!(len > 0, "the initiator hung up during the handshake");
        input.extend_from_slice(&chunk[..len]);
        let consumed = handshake.handle_bytes(&input).unwrap();
        input.drain(..consumed);
        if handshake.needs_authentication().is_some() {
            handshake.authenticate(true).unwrap();
        }
        while let Some(bytes) = handshake.poll_transmit() {
            socket.write_all(&bytes).await.unwrap();
        }
    }
    let mut outcome = handshake.finish().unwrap();
    let open = Message::Open(wire::Open {
        discovery_key: key.discovery_key().to_bytes(),
        capability: Some([0x17; 32]),
    });
    let mut frame = bytes::BytesMut::new();
    open.encode_frame(1, &mut frame);
    outcome.tx.apply(&mut frame);
    socket.write_all(&frame).await.unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
}

#[test]
fn a_tampered_handshake_ends_the_connection() {
    task::block_on(async {
        for byte in [5, 40, 70, 100, 121] {
            let writer = writer(3, Dialect::V8).await;
            let reader = reader_of(&writer).await;
            let (reader_end, mut to_reader) = duplex(4096);
            let (mut to_writer, writer_end) = duplex(4096);
            let server = task::spawn(writer.replicate(Role::Responder, writer_end).into_future());
            let middle = task::spawn(async move {
                let mut first = [0; 59];
                to_reader.read_exact(&mut first).await.unwrap();
                to_writer.write_all(&first).await.unwrap();
                let mut second = [0; 123];
                to_writer.read_exact(&mut second).await.unwrap();
                second[byte] ^= 1;
                to_reader.write_all(&second).await.unwrap();
                let mut rest = Vec::new();
                let _ = to_reader.read_to_end(&mut rest).await;
            });
            let result = reader.replicate(Role::Initiator, reader_end).await;
            assert!(
                matches!(
                    result,
                    Err(Error::Peer(PeerError::Protocol(ProtocolError::Handshake(
                        _
                    ))))
                ),
                "byte {byte}: {result:?}"
            );
            middle.await;
            let _ = server.await;
            honest_afterwards(&reader, &writer).await;
        }
    });
}

#[test]
fn bits_flipped_on_the_way_never_reach_the_files() {
    // The stream cipher has no tag: what is flipped arrives flipped. Any error is right, a wrong block never is.
    task::block_on(async {
        let writer = writer(33, Dialect::V8).await;
        let mut rng = testkit::Rng::new(testkit::seed(11));
        for _ in 0..40 {
            let reader = reader_of(&writer).await;
            let (reader_end, to_reader) = duplex(4096);
            let (to_writer, writer_end) = duplex(4096);
            let server = task::spawn(writer.replicate(Role::Responder, writer_end).into_future());
            let at = 123 + rng.below(4000) as usize;
            let bit = 1 << rng.below(8);
            let middle = task::spawn(flip_on_the_way(to_reader, to_writer, at, bit));
            let _ = reader.replicate(Role::Initiator, reader_end).await;
            middle.await;
            let _ = server.await;
            honest_afterwards(&reader, &writer).await;
        }
    });
}

/// Carries bytes both ways and flips a bit of the `at`th byte towards the reader.
async fn flip_on_the_way(reader: Duplex, writer: Duplex, at: usize, bit: u8) {
    let (mut from_reader, mut to_reader) = futures_lite::io::split(reader);
    let (mut from_writer, mut to_writer) = futures_lite::io::split(writer);
    let up = async {
        let _ = futures_lite::io::copy(&mut from_reader, &mut to_writer).await;
    };
    let down = async {
        let mut passed = 0;
        let mut chunk = [0; 512];
        while let Ok(len @ 1..) = from_writer.read(&mut chunk).await {
            if (passed..passed + len).contains(&at) {
                chunk[at - passed] ^= bit;
            }
            passed += len;
            if to_reader.write_all(&chunk[..len]).await.is_err() {
                break;
            }
        }
    };
    futures_lite::future::or(up, down).await;
}
