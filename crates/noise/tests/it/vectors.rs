//! `handshake-v8.json`, `handshake-v9.json` and the keys of connections in `keys.json`.

use hypercore_noise::{
    Dialect, DialectChoice, Handshake, KeyPair, Outcome, Randomness, Role, StreamCipher,
};
use serde_json::Value;
use testkit::vectors::{hex, hex_array, list, load};

use crate::{pair::hear, received::received};

const ROLES: [(&str, Role); 2] = [
    ("initiator", Role::Initiator),
    ("responder", Role::Responder),
];

fn cases() -> Vec<(Dialect, Value)> {
    let files = [
        (Dialect::V8, "handshake-v8.json"),
        (Dialect::V9, "handshake-v9.json"),
    ];
    let cases = files.map(|(dialect, name)| {
        let file = load(name);
        let cases: Vec<_> = list(&file["cases"]).to_vec();
        assert!(!cases.is_empty(), "{name}");
        cases.into_iter().map(move |case| (dialect, case))
    });
    cases.into_iter().flatten().collect()
}

fn side(case: &Value, name: &str, role: Role, choice: DialectChoice) -> Handshake {
    let keys = &case[name];
    let pair = KeyPair::from_secret(hex_array(&keys["static"]["secretKey"]));
    assert_eq!(pair.public(), hex_array(&keys["static"]["publicKey"]));
    let randomness = Randomness {
        ephemeral: hex_array(&keys["ephemeral"]["secretKey"]),
        nonce: hex_array(&keys["nonce"]),
    };
    Handshake::new(role, choice, pair, randomness).unwrap()
}

/// Plays one side against the recorded messages of the other; what it says has to be what is recorded.
fn play(case: &Value, name: &str, role: Role, choice: DialectChoice) -> Outcome {
    let mut side = side(case, name, role, choice);
    let mut said = side.poll_transmit();
    let recorded = list(&case["messages"]);
    assert_eq!(recorded.len(), 3);
    for message in recorded {
        let bytes = hex(&message["bytes"]);
        match message["from"] == name {
            true => assert_eq!(said.take(), Some(bytes)),
            false => {
                let (answer, taken) = hear(&mut side, &bytes, usize::MAX).unwrap();
                assert_eq!(taken, bytes.len());
                said = Some(answer).filter(|answer| !answer.is_empty());
            }
        }
    }
    assert_eq!(said, None);
    assert!(side.is_finished());
    side.finish().unwrap()
}

fn other(name: &str) -> &'static str {
    match name {
        "initiator" => "responder",
        _ => "initiator",
    }
}

#[test]
fn either_side_of_the_vectors_says_the_same_bytes() {
    for (dialect, case) in cases() {
        for (name, role) in ROLES {
            let outcome = play(&case, name, role, DialectChoice::Fixed(dialect));
            assert_eq!(outcome.dialect, dialect);
            assert_eq!(outcome.handshake_hash.to_vec(), hex(&case["handshakeHash"]));
            let remote = &case[other(name)]["static"]["publicKey"];
            assert_eq!(outcome.remote_public_key, hex_array(remote));
        }
    }
}

#[test]
fn an_initiator_of_the_vectors_finds_out_the_dialect() {
    for (dialect, case) in cases() {
        let outcome = play(&case, "initiator", Role::Initiator, DialectChoice::Auto);
        assert_eq!(outcome.dialect, dialect);
        assert_eq!(outcome.handshake_hash.to_vec(), hex(&case["handshakeHash"]));
    }
}

#[test]
fn streams_of_the_vectors_run_under_the_keys_of_the_split() {
    for (dialect, case) in cases() {
        for (name, role) in ROLES {
            let outcome = play(&case, name, role, DialectChoice::Fixed(dialect));
            for (mut ours, key, sender) in
                [(outcome.tx, "tx", name), (outcome.rx, "rx", other(name))]
            {
                let key = hex_array(&case["split"][name][key]);
                let mut theirs = StreamCipher::new(&key, &hex_array(&case[sender]["nonce"]));
                let [mut a, mut b] = [[0; 1000]; 2];
                ours.apply(&mut a);
                theirs.apply(&mut b);
                assert_eq!(a, b);
            }
        }
    }
}

#[test]
fn capabilities_of_the_vectors_fit_both_ways() {
    for (dialect, case) in cases() {
        let cases = list(&case["capabilities"]);
        assert!(!cases.is_empty());
        for (name, role) in ROLES {
            let capability = play(&case, name, role, DialectChoice::Fixed(dialect)).capability;
            for shown in cases {
                let key = hex_array(&shown["key"]);
                let sent = hex(&shown[format!("{name}Sends")]);
                let expected = hex(&shown[format!("{name}Expects")]);
                assert_eq!(capability.local(&key).to_vec(), sent);
                assert_eq!(capability.remote(&key).to_vec(), expected);
                assert!(capability.verify(&key, &expected));
                assert!(!capability.verify(&key, &sent));
                assert!(!capability.verify(&key, &expected[..31]));
                assert!(!capability.verify(&key, &[]));
            }
        }
    }
}

#[test]
fn frames_of_the_vectors_are_the_same_bytes_on_the_wire_and_read_back() {
    let mut clear = 0;
    for (dialect, case) in cases() {
        let encrypted = case["encrypted"] == true;
        clear += usize::from(!encrypted);
        for (name, role) in ROLES {
            let mut outcome = play(&case, name, role, DialectChoice::Fixed(dialect));
            let mut heard = Vec::new();
            for frame in list(&case["stream"]) {
                let (plain, wire) = (hex(&frame["plaintext"]), hex(&frame["bytes"]));
                if !encrypted {
                    assert_eq!(plain, wire);
                }
                match frame["from"] == name {
                    true => {
                        let mut bytes = plain;
                        if encrypted {
                            outcome.tx.apply(&mut bytes);
                        }
                        assert_eq!(bytes, wire);
                    }
                    false => {
                        let mut bytes = wire;
                        if encrypted {
                            outcome.rx.apply(&mut bytes);
                        }
                        assert_eq!(bytes, plain);
                        heard.extend(bytes);
                    }
                }
            }
            assert_eq!(received(&heard), list(&case["received"][name]));
        }
    }
    assert_eq!(clear, 2, "one case of each dialect isn't encrypted");
}

#[test]
fn key_pairs_of_the_vectors_follow_from_their_seeds() {
    let file = load("keys.json");
    let cases = list(&file["noise"]);
    assert!(!cases.is_empty());
    for case in cases {
        let pair = KeyPair::from_seed(hex_array(&case["seed"]));
        let again = KeyPair::from_secret(hex_array(&case["secretKey"]));
        assert_eq!(pair.public(), hex_array(&case["publicKey"]));
        assert_eq!(again.public(), pair.public());
    }
}
