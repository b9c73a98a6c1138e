//! `bitfield-rle.json`, and codes that are damaged or stand for too much.

use hypercore_wire::{Error, rle_decode, rle_decode_bytes, rle_encode};
use proptest::prelude::*;
use serde_json::Value;
use testkit::vectors::{hex, list, load};

const MAX: u64 = 1 << 30;

fn bits_of(bytes: &[u8]) -> Vec<u64> {
    let set = |bit: &u64| bytes[*bit as usize / 8] & (0x80 >> (bit % 8)) != 0;
    (0..8 * bytes.len() as u64).filter(set).collect()
}

#[test]
fn bitfields_are_encoded_and_decoded_as_in_the_vectors() {
    for case in list(&load("bitfield-rle.json")["encode"]) {
        let code = hex(&case["encoded"]);
        assert_eq!(rle_encode(&hex(&case["bitfield"])), code);
        assert_eq!(rle_decode_bytes(&code, MAX), Ok(hex(&case["decoded"])));
        assert_aligned(case);
        let runs: Vec<u64> = rle_decode(&code, MAX).unwrap().flatten().collect();
        assert_eq!(runs, bits_of(&hex(&case["decodedAlign4"])));
    }
}

/// JavaScript pads what a peer sent to whole words of 4 bytes; to runs that makes no difference.
fn assert_aligned(case: &Value) {
    let mut bytes = hex(&case["decoded"]);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    assert_eq!(bytes, hex(&case["decodedAlign4"]), "{case}");
}

#[test]
fn odd_codes_are_decoded_or_refused_as_in_the_vectors() {
    for case in list(&load("bitfield-rle.json")["decode"]) {
        let decoded = rle_decode_bytes(&hex(&case["encoded"]), MAX);
        match case["decoded"].is_null() {
            true => {
                assert!(
                    decoded.is_err() && case["decodedAlign4"].is_null(),
                    "{case}"
                );
            }
            false => {
                assert_eq!(decoded, Ok(hex(&case["decoded"])), "{case}");
                assert_aligned(case);
            }
        }
    }
}

#[test]
fn the_bitfields_of_pages_are_encoded_as_in_the_vectors() {
    for case in list(&load("bitfield-pages.json")) {
        let pages = list(&case["pages"]);
        let mut bits = Vec::new();
        for page in pages {
            let mut data = hex(&page["data"]);
            data.resize(1024, 0);
            bits.extend(data);
        }
        for range in list(&case["compress"]) {
            let start = range["start"].as_u64().unwrap() as usize / 8;
            let length = range["length"].as_u64().unwrap() as usize / 8;
            // A length of zero stands for everything.
            let end = if length == 0 {
                bits.len()
            } else {
                (start + length).min(bits.len())
            };
            let part = bits.get(start..end).unwrap_or_default();
            assert_eq!(rle_encode(part), hex(&range["encoded"]), "{range}");
        }
    }
}

#[test]
fn a_few_bytes_never_stand_for_gigabytes() {
    // 2^31 and 2^40 bytes of ones, and many pieces that each fit but not together.
    for code in [
        &[0x83, 0x80, 0x80, 0x80, 0x20][..],
        &[0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40][..],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..],
        &[0x83, 0x80, 0x20].repeat(3),
    ] {
        assert_eq!(
            rle_decode(code, 1 << 20).err(),
            Some(Error::TooManyBits { max: 1 << 20 })
        );
        assert!(rle_decode_bytes(code, 1 << 20).is_err());
    }
}

#[test]
fn damaged_codes_are_refused() {
    for code in [&[0x80][..], &[0x04, 0xff], &[0x02], &[0xff; 12]] {
        assert!(rle_decode(code, 1 << 20).is_err(), "{code:?}");
    }
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(pieces in prop::collection::vec(
        (prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 1..20usize), 0..12,
    )) {
        let bits: Vec<u8> = pieces.iter().flat_map(|&(byte, len)| vec![byte; len]).collect();
        let code = rle_encode(&bits);
        let runs: Vec<_> = rle_decode(&code, 8 * bits.len() as u64).unwrap().collect();
        prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
        prop_assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), bits_of(&bits));
        let mut bytes = rle_decode_bytes(&code, 8 * bits.len() as u64).unwrap();
        bytes.resize(bits.len(), 0);
        prop_assert_eq!(bytes, bits);
    }

    #[test]
    fn any_bytes_decode_as_naively(code in prop::collection::vec(
        prop_oneof![0..24u8, any::<u8>()], 0..40,
    )) {
        let max = 1 << 16;
        let naive = naive(&code, max);
        prop_assert_eq!(rle_decode_bytes(&code, max).ok(), naive.clone());
        let runs = rle_decode(&code, max).ok().map(|runs| runs.collect::<Vec<_>>());
        if let Some(runs) = &runs {
            prop_assert!(runs.iter().all(|run| !run.is_empty()));
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
        let bits = runs.map(|runs| runs.into_iter().flatten().collect::<Vec<_>>());
        prop_assert_eq!(bits, naive.map(|bytes| bits_of(&bytes)));
    }
}

/// The code by the letter of its description, byte by byte; none if it is damaged or too long.
fn naive(code: &[u8], max_bits: u64) -> Option<Vec<u8>> {
    let (mut code, mut out) = (code.iter().copied(), Vec::new());
    while code.len() > 0 {
        let mut value: u128 = 0;
        for at in 0.. {
            let byte = code.next()?;
            value |= u128::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                break;
            }
            if at == 9 {
                return None;
            }
        }
        u64::try_from(value).ok()?;
        let repeated = (value & 1 == 1).then_some(if value & 2 == 2 { 0xff } else { 0 });
        let len = value >> if repeated.is_some() { 2 } else { 1 };
        for _ in 0..len {
            out.push(match repeated {
                Some(byte) => byte,
                None => code.next()?,
            });
            if out.len() as u64 * 8 > max_bits {
                return None;
            }
        }
    }
    Some(out)
}
