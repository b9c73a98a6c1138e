//! What a connection adds to the bytes that pass through it: frames, encryption and decryption, events.

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crypto::PublicKey;
use hypercore_protocol::{Channel, Config, Connection, Event, KeyPair, Randomness, Role, Security};
use wire::{Data, Have, Message};

const NOW: Duration = Duration::ZERO;

/// How much is read from a socket at a time.
const READ: usize = 64 * 1024;

fn side(role: Role, seed: u8, security: Security) -> (Connection, Channel) {
    let config = Config {
        security,
        live: true,
        ..Config::new(role, KeyPair::from_seed([seed; 32]))
    };
    let randomness = Randomness {
        ephemeral: [seed; 32],
        nonce: [seed; 24],
    };
    let mut connection = Connection::new(config, randomness, NOW).expect("a dialect is chosen");
    let channel = connection
        .open(&PublicKey::new([9; 32]))
        .expect("it is the first");
    (connection, channel)
}

/// Carries all that `from` has to say, and counts the events that come of it.
fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let mut events = 0;
    while let Some(bytes) = from.poll_transmit(NOW) {
        for piece in bytes.chunks(READ) {
            to.handle_bytes(NOW, piece).expect("both are honest");
            while let Some(event) = to.poll_event().expect("both are honest") {
                events += usize::from(matches!(black_box(event), Event::Message { .. }));
            }
        }
    }
    events
}

/// Two peers that have opened the same feed.
fn pair(security: Security) -> (Connection, Channel, Connection) {
    let (mut a, channel) = side(Role::Initiator, 1, security);
    let (mut b, _) = side(Role::Responder, 2, security);
    for _ in 0..3 {
        carry(&mut a, &mut b);
        carry(&mut b, &mut a);
    }
    (a, channel, b)
}

fn messages(c: &mut Criterion) {
    let block = |len: usize| {
        Message::Data(Data {
            index: 1000,
            value: Some(Bytes::from(vec![7; len])),
            ..Data::default()
        })
    };
    let have = Message::Have(Have {
        start: 1000,
        ..Have::default()
    });
    let cases = [
        ("blocks of 64 KiB", block(64 * 1024), 8),
        ("blocks of 100 bytes", block(100), 1000),
        ("haves", have, 1000),
    ];
    for (security, how) in [
        (Security::Encrypted, "encrypted"),
        (Security::Plain, "plain"),
    ] {
        let mut group = c.benchmark_group(format!("through a pair, {how}"));
        for (name, message, count) in &cases {
            let (mut a, channel, mut b) = pair(security);
            group.throughput(Throughput::Bytes(
                *count as u64 * message.encoded_len() as u64,
            ));
            group.bench_with_input(BenchmarkId::from_parameter(name), count, |bench, &count| {
                bench.iter(|| {
                    for _ in 0..count {
                        a.send(channel, message).expect("there is room");
                    }
                    assert_eq!(carry(&mut a, &mut b), count);
                });
            });
        }
        group.finish();
    }
}

fn beginnings(c: &mut Criterion) {
    c.bench_function("from nothing to an open feed, both sides", |bench| {
        bench.iter(|| black_box(pair(Security::Encrypted)));
    });
}

criterion_group!(benches, messages, beginnings);
criterion_main!(benches);
