//! What a connection costs before the first block and with every byte after it: a handshake, and the stream cipher.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hypercore_noise::{Dialect, DialectChoice, Handshake, KeyPair, Randomness, Role, StreamCipher};
use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit, StreamCipher as _},
};

fn side(role: Role, choice: DialectChoice) -> Handshake {
    let randomness = Randomness {
        ephemeral: [1; 32],
        nonce: [2; 24],
    };
    let pair = KeyPair::from_seed([3; 32]);
    Handshake::new(role, choice, pair, randomness).expect("only a responder can't be open")
}

fn pass_on(from: &mut Handshake, to: &mut Handshake) {
    let Some(message) = from.poll_transmit() else {
        return;
    };
    to.handle_bytes(&message).expect("both are honest");
    if to.needs_authentication().is_some() {
        to.authenticate(true).expect("it waits for that");
    }
}

/// Both sides of a handshake, on one core.
fn shake(choice: DialectChoice, dialect: Dialect) -> bool {
    let mut a = side(Role::Initiator, choice);
    let mut b = side(Role::Responder, DialectChoice::Fixed(dialect));
    for _ in 0..2 {
        pass_on(&mut a, &mut b);
        pass_on(&mut b, &mut a);
    }
    a.finish().is_ok() && b.finish().is_ok()
}

fn handshakes(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake, both sides");
    for (name, choice, dialect) in [
        ("dialect 8", DialectChoice::Fixed(Dialect::V8), Dialect::V8),
        ("dialect 9", DialectChoice::Fixed(Dialect::V9), Dialect::V9),
        ("auto meets 9", DialectChoice::Auto, Dialect::V9),
    ] {
        assert!(shake(choice, dialect), "{name}");
        group.bench_function(name, |b| b.iter(|| black_box(shake(choice, dialect))));
    }
    group.finish();
}

fn streams(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream cipher");
    for len in [64, 1500, 64 * 1024] {
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_with_input(BenchmarkId::from_parameter(len), &len, |b, &len| {
            let mut cipher = StreamCipher::new(&[1; 32], &[2; 24]);
            let mut bytes = vec![3; len];
            b.iter(|| cipher.apply(black_box(&mut bytes)));
        });
        let name = BenchmarkId::new("the crate salsa20", len);
        group.bench_with_input(name, &len, |b, &len| {
            let mut cipher = XSalsa20::new(&[1; 32].into(), &[2; 24].into());
            let mut bytes = vec![3; len];
            b.iter(|| cipher.apply_keystream(black_box(&mut bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, handshakes, streams);
criterion_main!(benches);
