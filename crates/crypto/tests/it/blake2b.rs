//! BLAKE2b against what RFC 7693 publishes.

use blake2b_simd::Params;
use data_encoding::HEXLOWER;
use hypercore_crypto::{hash, keyed_hash};

/// The result of the self-test in appendix E: one digest over those of all its cases.
const SELF_TEST: &str = "c23a7800d98123bd10f506c61e29da5603d763b8bbad2e737f5e765a7bccd475";

/// The digest of "abc", appendix A.
const ABC: &str = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
                   7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";

/// Keys and inputs of the self-test.
fn sequence(len: usize) -> Vec<u8> {
    let (mut a, mut b) = (0xdead_4bad_u32.wrapping_mul(len as u32), 1_u32);
    let next = || {
        let sum = a.wrapping_add(b);
        (a, b) = (b, sum);
        (sum >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn digests_of_all_lengths_fit_the_self_test_of_the_rfc() {
    let mut all = Params::new().hash_length(32).to_state();
    for digest_len in [20, 32, 48, 64] {
        let mut params = Params::new();
        params.hash_length(digest_len);
        let key = sequence(digest_len);
        for input_len in [0, 3, 128, 129, 255, 1024] {
            let input = sequence(input_len);
            let plain = params.hash(&input);
            let keyed = params.clone().key(&key).hash(&input);
            all.update(plain.as_bytes()).update(keyed.as_bytes());
            // Of these lengths are our own.
            if let Ok(key) = key.as_slice().try_into() {
                assert_eq!(hash(&[&input]).as_bytes(), plain.as_bytes());
                assert_eq!(keyed_hash(key, &[&input]).as_bytes(), keyed.as_bytes());
            }
        }
    }
    assert_eq!(HEXLOWER.encode(all.finalize().as_bytes()), SELF_TEST);
}

#[test]
fn the_example_of_the_rfc_fits() {
    let digest = blake2b_simd::blake2b(b"abc");
    assert_eq!(HEXLOWER.encode(digest.as_bytes()), ABC);
}
