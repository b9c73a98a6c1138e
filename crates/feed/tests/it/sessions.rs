//! Sessions recorded between two JavaScript peers: what the writer answered is what ours answers, and a reader of ours that is
//! told the same ends in the same state.

use bytes::Bytes;
use crypto::{Dialect, Hash, SecretKey, Signature};
use flat_tree::Index;
use hypercore_feed::{ForkPolicy, OpenOptions};
use merkle::{Node, Proof, ProofRequest, RemoteTree};
use serde_json::Value;
use storage::MemoryFiles;
use testkit::vectors::{hex, int, ints, list, load, pattern_block};

use crate::world::{Log, with_key};

const VERSIONS: [(&str, Dialect); 2] = [
    ("sessions-v8.json", Dialect::V8),
    ("sessions-v9.json", Dialect::V9),
];

/// A request that wasn't answered yet.
enum Waiting {
    Block((Proof, Option<Bytes>)),
    Seek(ProofRequest),
}

/// What matters here of what was said.
#[derive(Debug)]
enum Said {
    Have { end: u64 },
    Request { request: ProofRequest, bytes: u64 },
    Data { proof: Proof, value: Option<Bytes> },
}

#[test]
fn vectors_of_sessions_leave_a_reader_as_they_left_theirs() {
    let mut stored = 0;
    for (session, _) in sessions() {
        let name = session["name"].as_str().unwrap();
        let key = hex(&session["feed"]["publicKey"]);
        let files = MemoryFiles::default();
        let options = OpenOptions {
            // JavaScript wants no proof that the feed has grown.
            fork_policy: ForkPolicy::Compat,
            ..with_key(key[..].try_into().unwrap())
        };
        let mut reader = Log::open(files.clone(), options).unwrap();
        for said in said(&session, "writer") {
            if let Said::Data { proof, value } = said {
                reader.put(proof, value).unwrap();
                stored += 1;
            }
        }
        drop(reader);
        let reader = Log::reader_of(files);
        let theirs = &session["reader"];
        assert_eq!(reader.length(), int(&theirs["length"]), "{name}");
        assert_eq!(
            reader.feed.byte_length(),
            int(&theirs["byteLength"]),
            "{name}"
        );
        assert_eq!(reader.has(), ints(&theirs["has"]), "{name}");
        for block in reader.has() {
            assert_eq!(
                reader.get(block).unwrap(),
                self::block(&session, block),
                "{name}"
            );
        }
    }
    assert!(stored > 100, "{stored}");
}

#[test]
fn vectors_of_sessions_are_answered_with_the_same_proofs() {
    let mut answered = 0;
    for (session, dialect) in sessions() {
        let name = session["name"].as_str().unwrap();
        let secret = hex(&session["feed"]["secretKey"]);
        let options = OpenOptions {
            secret_key: Some(SecretKey::from_bytes(secret[..].try_into().unwrap()).unwrap()),
            dialect,
            ..OpenOptions::default()
        };
        let mut writer = Log::open(MemoryFiles::default(), options).unwrap();
        let mut remote = RemoteTree::new();
        let mut waiting: Vec<Waiting> = vec![];
        for (by, said) in both(&session) {
            match said {
                // The writer says what it has as soon as it has it.
                Said::Have { end } if by == "writer" && end > writer.length() => {
                    writer.append((writer.length()..end).map(|at| block(&session, at)));
                }
                // JavaScript plans its answers in this order, and sends first those for which it has less to read.
                Said::Request { request, bytes: 0 } => {
                    let answer = writer.answer(&request, &mut remote).unwrap();
                    waiting.push(Waiting::Block(answer));
                }
                Said::Request { request, .. } => waiting.push(Waiting::Seek(request)),
                Said::Data { proof, value } => {
                    let own = |one: &Waiting| matches!(one, Waiting::Block((own, _)) if own.block == proof.block);
                    let seek = |one: &Waiting| matches!(one, Waiting::Seek(_));
                    let at = waiting.iter().position(own);
                    let at = at.or_else(|| waiting.iter().position(seek)).unwrap();
                    let answer = match waiting.remove(at) {
                        Waiting::Block(answer) => answer,
                        // It is answered for the block that was found, of which its digest says nothing.
                        Waiting::Seek(request) => {
                            let (block, digest) = (proof.block, 0);
                            let request = ProofRequest {
                                block,
                                digest,
                                ..request
                            };
                            writer.answer(&request, &mut remote).unwrap()
                        }
                    };
                    assert_eq!(answer, (proof, value), "{name}");
                    answered += 1;
                }
                Said::Have { .. } => {}
            }
        }
    }
    assert!(answered > 100, "{answered}");
}

fn sessions() -> Vec<(Value, Dialect)> {
    let each = VERSIONS.iter().flat_map(|(file, dialect)| {
        let sessions = list(&load(file)["sessions"]).to_vec();
        sessions.into_iter().map(|session| (session, *dialect))
    });
    each.collect()
}

fn block(session: &Value, index: u64) -> Bytes {
    let size = int(&session["sizes"][index as usize]) as usize;
    pattern_block(int(&session["base"]), index, size).into()
}

fn said(session: &Value, by: &str) -> Vec<Said> {
    let all = both(session).into_iter().filter(|(who, _)| who == by);
    all.map(|(_, said)| said).collect()
}

fn both(session: &Value) -> Vec<(String, Said)> {
    let mut all = Vec::new();
    for frame in list(&session["frames"]) {
        let from = frame["from"].as_str().unwrap();
        let by = session[from]["role"].as_str().unwrap();
        if !frame["plaintext"].is_null() {
            let said = messages(&hex(&frame["plaintext"]));
            all.extend(said.into_iter().map(|said| (by.to_owned(), said)));
        }
    }
    all
}

/// A second reading of the wire, independent of the crate that is for it: the length, the header, the body.
fn messages(mut bytes: &[u8]) -> Vec<Said> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = {
            let len = varint(&mut bytes) as usize;
            bytes.split_at(len)
        };
        bytes = rest;
        let mut body = frame;
        if frame.is_empty() {
            continue;
        }
        let kind = varint(&mut body) & 15;
        all.extend(message(kind, body));
    }
    all
}

fn message(kind: u64, body: &[u8]) -> Option<Said> {
    if ![3, 7, 9].contains(&kind) {
        return None;
    }
    let fields = fields(body);
    let number = |tag| {
        let mut found = fields.iter().filter(|field| field.0 == tag);
        found.next_back().map_or(0, |field| field.1)
    };
    let bytes = |tag| {
        let mut found = fields.iter().filter(move |field| field.0 == tag);
        found.next_back().map(|field| field.2)
    };
    match kind {
        // The answer to a Want has a bitfield, and a length that says how far it goes.
        3 if bytes(3).is_some() => None,
        3 => {
            let length = if fields.iter().any(|field| field.0 == 2) {
                number(2)
            } else {
                1
            };
            Some(Said::Have {
                end: number(1) + length,
            })
        }
        7 => Some(Said::Request {
            request: ProofRequest {
                block: number(1),
                hash: number(3) != 0,
                digest: number(4),
            },
            bytes: number(2),
        }),
        9 => {
            let nodes = fields.iter().filter(|field| field.0 == 3);
            let signature = bytes(4).map(|bytes| Signature::try_from(bytes).unwrap());
            let proof = Proof {
                block: number(1),
                nodes: nodes.map(|field| node(field.2)).collect(),
                signature,
            };
            let value = bytes(2).map(Bytes::copy_from_slice);
            Some(Said::Data { proof, value })
        }
        _ => None,
    }
}

fn node(body: &[u8]) -> Node {
    let fields = fields(body);
    let field = |tag| *fields.iter().find(|field| field.0 == tag).unwrap();
    Node {
        index: Index::new(field(1).1),
        hash: Hash::try_from(field(2).2).unwrap(),
        size: field(3).1,
    }
}

/// The fields of a protobuf message: tag, number, bytes.
fn fields(mut body: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut all = Vec::new();
    while !body.is_empty() {
        let key = varint(&mut body);
        let number = varint(&mut body);
        let bytes = match key & 7 {
            0 => &[],
            2 => body.split_off(..number as usize).unwrap(),
            other => panic!("wire type {other}"),
        };
        all.push((key >> 3, number, bytes));
    }
    all
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first().unwrap();
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    value
}
