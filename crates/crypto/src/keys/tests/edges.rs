//! Keys and signatures on the edges of what Ed25519 allows, judged as libsodium judged the very same ones.

use std::{string::ToString, vec::Vec};

use curve25519_dalek::{
    Scalar,
    constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
    edwards::{CompressedEdwardsY, EdwardsPoint},
    traits::IsIdentity,
};
use sha2::{Digest, Sha512};
use testkit::Rng;

use super::*;

/// The order of the group, and what the signature's second half has to be below.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// How many of the cases libsodium accepts (`crypto_sign_verify_detached` of sodium-native 3.4.1).
const ACCEPTED: usize = 44;

const CASES: usize = 15_440;

/// The BLAKE2b of libsodium's verdicts, a byte each: 1 where it accepts.
const VERDICTS: &str = "9213d76e596ff7219c045a093d23d38271e48960a3a75e9443005d2c9d46e381";

struct Case {
    key: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

fn case(key: [u8; 32], message: &[u8], r: [u8; 32], s: [u8; 32]) -> Case {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    Case {
        key,
        message: message.to_vec(),
        signature,
    }
}

fn scalar(rng: &mut Rng) -> Scalar {
    Scalar::from_bytes_mod_order(rng.array())
}

fn times_base(scalar: Scalar) -> EdwardsPoint {
    scalar * ED25519_BASEPOINT_POINT
}

fn encoded(point: EdwardsPoint) -> [u8; 32] {
    point.compress().to_bytes()
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let digest = Sha512::new().chain_update(r).chain_update(key);
    let mut wide = [0; 64];
    wide.copy_from_slice(&digest.chain_update(message).finalize());
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// The same number modulo the order, in a form that isn't the smallest.
fn plus_order(bytes: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    core::array::from_fn(|n| {
        let sum = u16::from(bytes[n]) + u16::from(ORDER[n]) + carry;
        carry = sum >> 8;
        sum as u8
    })
}

/// Points of low order, coordinates that aren't reduced, and small ones, each with either sign.
fn odd_points() -> Vec<[u8; 32]> {
    let torsion = EIGHT_TORSION.iter().map(|point| encoded(*point));
    let unreduced = (0xed..=0xff).map(|low| {
        let mut bytes = [0xff; 32];
        bytes[0] = low;
        bytes
    });
    let small = (2..19).map(|low| {
        let mut bytes = [0; 32];
        bytes[0] = low;
        bytes
    });
    let all = torsion.chain(unreduced).chain(small);
    let mut points: Vec<_> = all
        .flat_map(|bytes| {
            [0, 0x80].map(|sign| {
                let mut bytes = bytes;
                bytes[31] = bytes[31] & 0x7f | sign;
                bytes
            })
        })
        .collect();
    points.sort_unstable();
    points.dedup();
    points
}

fn cases() -> Vec<Case> {
    let mut rng = Rng::new(5);
    let mut cases = Vec::new();
    let odd = odd_points();

    // Every odd key with every odd half of a signature.
    let honest = encoded(times_base(scalar(&mut rng)));
    for &key in odd.iter().chain([&honest]) {
        for &r in odd.iter().chain([&honest]) {
            for s in [[0; 32], ORDER] {
                cases.push(case(key, b"edge", r, s));
            }
        }
    }
    // Keys and signatures that hold but for a component of low order; where the two cancel each other out they hold.
    for _ in 0..6 {
        for of_key in EIGHT_TORSION {
            for of_r in EIGHT_TORSION {
                let (secret, nonce) = (scalar(&mut rng), scalar(&mut rng));
                let key = encoded(times_base(secret) + of_key);
                let r = encoded(times_base(nonce) + of_r);
                let message = rng.array::<8>();
                let s = (nonce + challenge(&r, &key, &message) * secret).to_bytes();
                let (mut high, mut other_sign) = (s, r);
                high[31] |= 0x20;
                other_sign[31] ^= 0x80;
                cases.push(case(key, &message, r, s));
                cases.push(case(key, &message, r, plus_order(s)));
                cases.push(case(key, &message, r, high));
                cases.push(case(key, &message, other_sign, s));
            }
        }
    }
    // The equation holds because one of the two points has low order.
    for &point in &odd {
        let decoded = CompressedEdwardsY(point).decompress();
        if decoded.is_none_or(|decoded| !decoded.is_small_order()) {
            continue;
        }
        for of_r in EIGHT_TORSION {
            let nonce = scalar(&mut rng);
            let r = encoded(times_base(nonce) + of_r);
            cases.push(case(point, &rng.array::<8>(), r, nonce.to_bytes()));
        }
        let (secret, message) = (scalar(&mut rng), rng.array::<8>());
        let key = encoded(times_base(secret));
        let s = challenge(&point, &key, &message) * secret;
        cases.push(case(key, &message, point, s.to_bytes()));
    }
    cases
}

#[test]
fn edge_cases_are_judged_as_libsodium_does() {
    let verdicts: Vec<u8> = cases()
        .iter()
        .map(|case| {
            let signature = Signature::new(case.signature);
            u8::from(verify(&PublicKey::new(case.key), &case.message, &signature))
        })
        .collect();
    let accepted = verdicts.iter().filter(|verdict| **verdict == 1).count();
    assert_eq!((accepted, verdicts.len()), (ACCEPTED, CASES));
    assert_eq!(crate::hash(&[&verdicts]).to_string(), VERDICTS);
}

#[test]
fn a_key_in_another_encoding_than_its_own_is_none() {
    // libsodium refuses to look at a key whose coordinate isn't reduced. Nobody knows the secret of one, so no signature shows
    // the difference.
    for key in odd_points() {
        let point = CompressedEdwardsY(key).decompress();
        let own = point.is_some_and(|point| encoded(point) == key);
        let negative_zero = point.is_some_and(|point| (point + point).is_identity());
        let taken = Verifier::new(&PublicKey::new(key)).is_some();
        assert!(taken == own || negative_zero, "{key:02x?}");
    }
}
