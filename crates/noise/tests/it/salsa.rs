//! XSalsa20 against the vectors that come with NaCl.

use data_encoding::HEXLOWER;
use hypercore_noise::StreamCipher;

const KEY: &str = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389";

const NONCE: &str = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";

/// The first bytes of the stream (`tests/stream3`).
const STREAM: &str = "eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880";

/// What `tests/secretbox` encrypts. Its first 32 bytes are zeros.
const TEXT: &str = "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce\
                    314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040\
                    e082f937763848645e0705";

/// And what becomes of the rest.
const CIPHERTEXT: &str = "8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb8\
                          63d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6\
                          599b1f654cb45a74e355a5";

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn cipher() -> StreamCipher {
    let key = bytes(KEY).try_into().unwrap();
    let nonce = bytes(NONCE).try_into().unwrap();
    StreamCipher::new(&key, &nonce)
}

#[test]
fn the_stream_fits_the_nacl_vector() {
    let mut stream = [0; 32];
    cipher().apply(&mut stream);
    assert_eq!(stream[..], bytes(STREAM));
}

#[test]
fn a_text_fits_the_nacl_vector_in_pieces_of_any_size() {
    let whole = [vec![0; 32], bytes(TEXT)].concat();
    for size in 1..=whole.len() {
        let mut text = whole.clone();
        let mut cipher = cipher();
        for piece in text.chunks_mut(size) {
            cipher.apply(piece);
        }
        assert_eq!(text[..32], bytes(STREAM));
        assert_eq!(text[32..], bytes(CIPHERTEXT), "pieces of {size}");
    }
}
