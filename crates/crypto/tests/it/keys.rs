//! `keys.json` and `signatures.json`.

use hypercore_crypto::{
    Dialect, Hash, KeyError, KeyPair, PublicKey, SecretKey, Signable, Signature, Verified,
    tree_hash,
};
use testkit::vectors::{hex, hex_array, int, list, load};

#[test]
fn key_pairs_match_the_vectors() {
    for case in list(&load("keys.json")["sign"]) {
        let pair = KeyPair::from_seed(hex_array(&case["seed"]));
        assert_eq!(pair.public().to_bytes(), hex_array(&case["publicKey"]));
        assert_eq!(*pair.secret().to_bytes(), hex_array(&case["secretKey"]));
        let again = KeyPair::from_secret(SecretKey::from_bytes(&pair.secret().to_bytes()).unwrap());
        assert_eq!(again.public(), pair.public());
    }
}

#[test]
fn signatures_match_the_vectors() {
    for case in list(&load("signatures.json")) {
        let pair = KeyPair::from_seed(hex_array(&case["seed"]));
        assert_eq!(pair.public(), PublicKey::new(hex_array(&case["publicKey"])));
        let roots = list(&case["roots"]).iter().map(|root| {
            let hash = Hash::new(hex_array(&root["hash"]));
            (int(&root["index"]), int(&root["size"]), hash)
        });
        let signable = Signable {
            tree_hash: tree_hash(roots),
            length: int(&case["length"]),
        };
        assert_eq!(signable.tree_hash, Hash::new(hex_array(&case["treeHash"])));
        assert_eq!(
            signable.to_bytes(Dialect::V9).as_ref(),
            hex(&case["signableV9"])
        );
        for (dialect, name) in [(Dialect::V8, "signatureV8"), (Dialect::V9, "signatureV9")] {
            let signature = pair.sign(&signable, dialect);
            assert_eq!(signature, Signature::new(hex_array(&case[name])));
            // Both forms are read, whatever form is written.
            let verified = pair.public().verify(&signable, &signature).unwrap();
            assert_eq!(verified.dialect(), Some(dialect));
            // Version 8 tells its own form from the other.
            assert_eq!(case["v8AcceptsV8"], true);
            assert_eq!(case["v8AcceptsV9"], false);
        }
    }
}

fn signed() -> (KeyPair, Signable, Signature) {
    let pair = KeyPair::from_seed([3; 32]);
    let signable = Signable {
        tree_hash: Hash::new([4; 32]),
        length: 7,
    };
    let signature = pair.sign(&signable, Dialect::V9);
    (pair, signable, signature)
}

#[test]
fn a_signature_stands_for_one_state_of_one_feed() {
    let (pair, signable, signature) = signed();
    assert!(pair.public().verify(&signable, &signature).is_ok());
    let longer = Signable {
        length: 8,
        ..signable
    };
    assert!(pair.public().verify(&longer, &signature).is_err());
    let other = Signable {
        tree_hash: Hash::new([5; 32]),
        ..signable
    };
    assert!(pair.public().verify(&other, &signature).is_err());
    let stranger = KeyPair::from_seed([9; 32]);
    assert!(stranger.public().verify(&signable, &signature).is_err());
}

#[test]
fn every_flipped_bit_of_a_signature_is_noticed() {
    let (pair, signable, signature) = signed();
    for bit in 0..512 {
        let mut bytes = signature.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = Signature::new(bytes);
        assert!(
            pair.public().verify(&signable, &flipped).is_err(),
            "bit {bit}"
        );
    }
}

#[test]
fn a_secret_key_with_a_foreign_public_half_is_refused() {
    let mut bytes = *KeyPair::from_seed([1; 32]).secret().to_bytes();
    bytes[63] ^= 1;
    assert!(matches!(
        SecretKey::from_bytes(&bytes),
        Err(KeyError::Mismatch)
    ));
}

#[test]
fn a_static_feed_is_vouched_for_by_its_key() {
    let (_, signable, _) = signed();
    let key = PublicKey::new(signable.tree_hash.to_bytes());
    assert!(Verified::matching_key(&key, &signable).is_ok());
    let other = PublicKey::new([8; 32]);
    assert!(Verified::matching_key(&other, &signable).is_err());
}

#[test]
fn keys_do_not_show_in_debug_output() {
    let pair = KeyPair::from_seed([0xab; 32]);
    let shown = format!("{pair:?} {:?} {:?}", pair.secret(), pair.public());
    assert!(!shown.contains(&pair.public().to_string()));
    assert!(!shown.contains("ab") && !shown.contains("171"));
}

#[test]
fn hex_is_read_in_either_case_and_only_whole() {
    let key = KeyPair::from_seed([1; 32]).public();
    let text = key.to_string();
    assert_eq!(text.to_uppercase().parse(), Ok(key));
    assert!(text[1..].parse::<PublicKey>().is_err());
    assert!(format!("{text}00").parse::<PublicKey>().is_err());
    assert!(format!("g{}", &text[1..]).parse::<PublicKey>().is_err());
    assert!(PublicKey::try_from(&[0; 31][..]).is_err());
}
