//! Public vectors for signatures over messages of any length, which the public face doesn't take.

extern crate std;

mod edges;

use testkit::vectors::{hex, hex_array, int, list, load};

use super::*;

fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    Verifier::new(key).is_some_and(|verifier| verifier.holds(message, signature))
}

#[test]
fn wycheproof_vectors_are_judged_as_libsodium_does() {
    let file = load("known/wycheproof-ed25519.json");
    let mut count = 0;
    for group in list(&file["testGroups"]) {
        let key = PublicKey::new(hex_array(&group["publicKey"]["pk"]));
        for case in list(&group["tests"]) {
            // A signature of another length can't even be written down.
            let verdict = Signature::try_from(&hex(&case["sig"])[..])
                .is_ok_and(|signature| verify(&key, &hex(&case["msg"]), &signature));
            assert_eq!(verdict, case["result"] == "valid", "case {}", case["tcId"]);
            count += 1;
        }
    }
    assert_eq!(count, int(&file["numberOfTests"]));
}

#[test]
fn speccheck_vectors_are_judged_as_libsodium_does() {
    // The edge cases on which libraries disagree; libsodium accepts the fourth only.
    let file = load("known/ed25519-speccheck.json");
    let verdicts = list(&file).iter().map(|case| {
        let key = PublicKey::new(hex_array(&case["pub_key"]));
        let signature = Signature::new(hex_array(&case["signature"]));
        verify(&key, &hex(&case["message"]), &signature)
    });
    let expected = (0..12).map(|case| case == 3);
    assert!(verdicts.eq(expected));
}
