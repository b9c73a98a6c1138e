//! Answers that aren't true. Whoever fetches must store nothing of them, and get everything from the honest author.

mod branches;

use std::{future::IntoFuture, time::Duration};

use bytes::Bytes;
use hypercore::{Hypercore, Index, Signable};
use testkit::Rng;
use wire::{Data, Have, Kind, Message, Node, Request, Status, Unhave};

use crate::{
    arena::{Arena, BLOCKS, KNOWN},
    attack::{
        Attack, MIB, Must,
        Must::{Bear, Either, End},
        Play, Victim,
    },
    hostile::{CHANNEL, Hostile, field, number},
};

/// What the victim says of an answer that isn't true.
const REFUSED: Must = End(&["Verification"]);

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = vec![
        seeding("sd-sig-none", REFUSED, |arena| {
            lie(arena, |_, data| data.signature = None)
        }),
        seeding("sd-sig-zero", REFUSED, |arena| {
            lie(arena, |_, data| data.signature = Some([0; 64]))
        }),
        seeding("sd-sig-flip", REFUSED, |arena| {
            lie(arena, |rng, data| {
                if let Some(signature) = &mut data.signature {
                    signature[rng.below(64) as usize] ^= 1 << rng.below(8);
                }
            })
        }),
        seeding("sd-sig-malleable", REFUSED, |arena| {
            lie(arena, |_, data| {
                if let Some(signature) = &mut data.signature {
                    add_order(signature);
                }
            })
        }),
        seeding("sd-sig-old", REFUSED, |arena| {
            Box::pin(old_signature(arena))
        }),
        seeding("sd-sig-other-key", REFUSED, |arena| {
            Box::pin(other_key(arena))
        }),
        seeding("sd-sig-63", End(&["Frame(Length"]), |arena| {
            Box::pin(raw_data(
                arena,
                [number(1, 70), field(2, b"x"), field(4, &[1; 63])].concat(),
            ))
        }),
        seeding("sd-sig-65", End(&["Frame(Length"]), |arena| {
            Box::pin(raw_data(
                arena,
                [number(1, 70), field(2, b"x"), field(4, &[1; 65])].concat(),
            ))
        }),
        seeding("sd-hash-0", End(&["Frame(Length"]), |arena| {
            Box::pin(raw_data(arena, with_hash(0)))
        }),
        seeding("sd-hash-31", End(&["Frame(Length"]), |arena| {
            Box::pin(raw_data(arena, with_hash(31)))
        }),
        seeding("sd-hash-33", End(&["Frame(Length"]), |arena| {
            Box::pin(raw_data(arena, with_hash(33)))
        }),
        seeding("sd-hash-1M", End(&["Frame(Length"]), |arena| {
            Box::pin(raw_data(arena, with_hash(MIB)))
        })
        .memory(6 * MIB),
        seeding("sd-node-empty", End(&["Frame(Missing"]), |arena| {
            Box::pin(raw_data(arena, [number(1, 70), field(3, &[])].concat()))
        }),
        seeding("sd-nodes-129", End(&["Frame(TooMany"]), |arena| {
            Box::pin(raw_data(arena, with_nodes(129)))
        }),
        seeding("sd-nodes-150k", End(&["Frame(TooMany"]), |arena| {
            Box::pin(raw_data(arena, with_nodes(150_000)))
        })
        .memory(40 * MIB),
        seeding("sd-nodes-surplus", REFUSED, |arena| {
            lie(arena, |rng, data| {
                data.nodes.push(Node {
                    index: 2 * rng.below(BLOCKS),
                    hash: rng.array(),
                    size: 10,
                });
            })
        }),
        seeding("sd-nodes-missing", REFUSED, |arena| {
            lie(arena, |_, data| {
                data.nodes.pop();
            })
        }),
        seeding("sd-nodes-none", REFUSED, |arena| {
            lie(arena, |_, data| data.nodes.clear())
        }),
        seeding("sd-nodes-twice", REFUSED, |arena| {
            lie(arena, |_, data| data.nodes.extend(data.nodes.clone()))
        }),
        seeding("sd-nodes-swapped", REFUSED, |arena| {
            lie(arena, |_, data| {
                // Only where the order says something: siblings from the leaf upwards.
                data.nodes.rotate_left(1);
                data.nodes.truncate(1);
            })
        }),
        seeding("sd-node-hash", REFUSED, |arena| {
            lie(arena, |rng, data| {
                if let Some(node) = data.nodes.first_mut() {
                    node.hash[rng.below(32) as usize] ^= 1 << rng.below(8);
                }
            })
        }),
        seeding("sd-node-size", REFUSED, |arena| {
            lie(arena, |_, data| {
                if let Some(node) = data.nodes.last_mut() {
                    node.size += 1;
                }
            })
        }),
        seeding("sd-node-huge", REFUSED, |arena| {
            lie(arena, |_, data| {
                for node in &mut data.nodes {
                    node.size = (1 << 53) - 1;
                }
            })
        }),
        seeding("sd-node-far", REFUSED, |arena| {
            lie(arena, |_, data| {
                for node in &mut data.nodes {
                    node.index = (1 << 53) - 1;
                }
            })
        }),
        seeding("sd-value-flip", REFUSED, |arena| {
            lie(arena, |_, data| {
                data.value = data.value.take().map(|value| {
                    let mut value = value.to_vec();
                    value[0] ^= 1;
                    value.into()
                });
            })
        }),
        seeding("sd-value-longer", REFUSED, |arena| {
            lie(arena, |_, data| {
                let value = data.value.take().unwrap_or_default();
                data.value = Some([&value[..], &[0]].concat().into());
            })
        }),
        seeding("sd-value-empty", REFUSED, |arena| {
            lie(arena, |_, data| data.value = Some(Bytes::new()))
        }),
        seeding("sd-value-8M", REFUSED, |arena| {
            lie(arena, |_, data| {
                data.value = Some(vec![7; 8 * MIB - 128 * 1024].into());
            })
        })
        .memory(48 * MIB),
        seeding("sd-value-none", Either, |arena| {
            lie(arena, |_, data| data.value = None)
        }),
        seeding("sd-empty", End(&["EmptyData"]), |arena| {
            lie(arena, |_, data| {
                data.value = None;
                data.nodes.clear();
                data.signature = None;
            })
        }),
        seeding("sd-other-block", REFUSED, |arena| {
            Box::pin(other_block(arena))
        }),
        seeding("sd-index-far", End(&["BlockOutOfRange"]), |arena| {
            lie(arena, |_, data| data.index = (1 << 53) - 1)
        }),
        seeding("sd-unasked", End(&["TooManyStrays"]), |arena| {
            Box::pin(unasked(arena))
        })
        .memory(2 * MIB),
        seeding("sd-unasked-true", End(&["TooManyStrays"]), |arena| {
            Box::pin(unasked_but_true(arena))
        }),
        seeding("sd-forge", REFUSED, |arena| Box::pin(forge(arena, false))),
        seeding("sd-forge-pair", REFUSED, |arena| {
            Box::pin(forge(arena, true))
        }),
        seeding("sd-have-huge", Either, |arena| {
            Box::pin(claim(arena, 0, 1 << 40))
        }),
        seeding("sd-have-far", Either, |arena| {
            Box::pin(claim(arena, 1 << 50, 1))
        }),
        seeding("sd-have-gone", Bear, |arena| Box::pin(taken_back(arena))),
        seeding("sd-stall", Either, |arena| Box::pin(stall(arena))),
        seeding("sd-stall-many", Either, |arena| Box::pin(stall_many(arena))).memory(3 * MIB),
        seeding("sd-slow", Either, |arena| Box::pin(slow(arena))),
        seeding("sd-poison", Either, |arena| Box::pin(poison(arena))),
    ];
    attacks.extend(branches::attacks());
    attacks
}

fn seeding(name: &'static str, must: Must, play: fn(Arena) -> Play) -> Attack {
    Attack::new(name, must, play).on(Victim::Copy)
}

/// A seeder that has shown what it has.
struct Seeder {
    hostile: Hostile,
    truth: Hypercore,
}

impl Seeder {
    async fn of(arena: &Arena, truth: &Hypercore) -> Self {
        let mut hostile = Hostile::open(arena).await;
        let status = Status {
            uploading: Some(true),
            downloading: Some(true),
        };
        hostile.say(&Message::Status(status)).await;
        hostile.say(&have(0, truth.len())).await;
        Seeder {
            hostile,
            truth: truth.clone(),
        }
    }

    /// The next request, and the true answer.
    async fn asked(&mut self) -> Option<(Request, Data)> {
        loop {
            let request = self.hostile.asked().await?;
            if let Some(data) = answer(&self.truth, &request).await {
                return Some((request, data));
            }
        }
    }

    async fn say(&mut self, data: Data) -> bool {
        self.hostile.say(&Message::Data(data)).await
    }
}

fn have(start: u64, length: u64) -> Message {
    Message::Have(Have {
        start,
        length: Some(length),
        bitfield: None,
        ack: None,
    })
}

/// The true answer to a request.
async fn answer(truth: &Hypercore, request: &Request) -> Option<Data> {
    let proof = truth.proof(request.index).hash(request.hash());
    let proof = proof.digest(request.nodes()).await.ok()?;
    let value = match request.hash() {
        true => None,
        false => Some(truth.get(request.index).wait(false).await.ok()?),
    };
    Some(Data {
        index: request.index,
        value,
        nodes: proof.nodes.iter().map(node).collect(),
        signature: proof.signature.map(|signature| signature.to_bytes()),
    })
}

fn node(node: &hypercore::Node) -> Node {
    Node {
        index: node.index.get(),
        hash: node.hash.to_bytes(),
        size: node.size,
    }
}

/// Comes back a few times, and says about everything what `change` makes of the truth.
fn lie(arena: Arena, change: fn(&mut Rng, &mut Data)) -> Play {
    Box::pin(async move {
        let author = arena.author().clone();
        for _ in 0..3 {
            let mut seeder = Seeder::of(&arena, &author).await;
            while let Some((_, mut data)) = seeder.asked().await {
                change(&mut seeder.hostile.rng, &mut data);
                if !seeder.say(data).await {
                    break;
                }
            }
        }
    })
}

/// A message that no honest peer can write, in answer to whatever is asked.
async fn raw_data(arena: Arena, body: Vec<u8>) {
    for _ in 0..3 {
        let mut hostile = Hostile::open(&arena).await;
        hostile.frame(CHANNEL, Kind::Data.number(), &body).await;
        hostile.be_left().await;
    }
}

fn with_hash(len: usize) -> Vec<u8> {
    let node = [number(1, 2), field(2, &vec![7; len]), number(3, 5)].concat();
    [number(1, 70), field(2, b"x"), field(3, &node)].concat()
}

fn with_nodes(count: u64) -> Vec<u8> {
    let mut body = [number(1, 70), field(2, b"x")].concat();
    for n in 0..count {
        let node = [number(1, 2 * n), field(2, &[7; 32]), number(3, 5)].concat();
        body.extend(field(3, &node));
    }
    body
}

/// The same signature in a form that is one order higher.
fn add_order(signature: &mut [u8; 64]) {
    const ORDER: [u8; 16] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14,
    ];
    let mut carry = 0;
    for (n, byte) in signature[32..].iter_mut().enumerate() {
        let order = match n {
            0..16 => ORDER[n],
            31 => 0x10,
            _ => 0,
        };
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
}

/// A signature of the author's, of a shorter feed.
async fn old_signature(arena: Arena) {
    let author = arena.author().clone();
    let old = author.signature(KNOWN - 1).unwrap().signature;
    for _ in 0..3 {
        let mut seeder = Seeder::of(&arena, &author).await;
        while let Some((_, mut data)) = seeder.asked().await {
            data.signature = Some(old.to_bytes());
            if !seeder.say(data).await {
                break;
            }
        }
    }
}

/// The whole feed, signed by somebody else.
async fn other_key(arena: Arena) {
    let author = arena.author().clone();
    let stranger = hypercore::KeyPair::from_seed([77; 32]);
    let signable = Signable {
        tree_hash: author.tree_hash(),
        length: author.len(),
    };
    let signature = stranger.sign(&signable, arena.dialect()).to_bytes();
    for _ in 0..3 {
        let mut seeder = Seeder::of(&arena, &author).await;
        while let Some((_, mut data)) = seeder.asked().await {
            data.signature = Some(signature);
            if !seeder.say(data).await {
                break;
            }
        }
    }
}

/// A true answer to another question.
async fn other_block(arena: Arena) {
    let author = arena.author().clone();
    for _ in 0..3 {
        let mut seeder = Seeder::of(&arena, &author).await;
        while let Some((request, _)) = seeder.asked().await {
            let other = Request {
                index: (request.index + 7) % BLOCKS,
                ..request
            };
            let Some(data) = answer(&author, &other).await else {
                continue;
            };
            let data = Data {
                index: request.index,
                ..data
            };
            if !seeder.say(data).await {
                break;
            }
        }
    }
}

/// Blocks that nobody asked for.
async fn unasked(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    hostile
        .flood(1_000, |rng, n| {
            Message::Data(Data {
                index: 2_000 + n as u64,
                value: Some(rng.bytes(1_000).into()),
                nodes: Vec::new(),
                signature: None,
            })
        })
        .await;
    hostile.be_left().await;
}

/// The same, with blocks that hold.
async fn unasked_but_true(arena: Arena) {
    let author = arena.author().clone();
    let mut hostile = Hostile::open(&arena).await;
    for index in (KNOWN..BLOCKS).cycle().take(2_000) {
        let request = Request {
            index,
            ..Request::default()
        };
        let data = answer(&author, &request).await.unwrap();
        if !hostile.say(&Message::Data(data)).await {
            break;
        }
    }
    hostile.be_left().await;
}

/// The roots of the whole feed, from the proof of its first block.
async fn roots(truth: &Hypercore) -> (Vec<Node>, Option<[u8; 64]>) {
    let first = Request {
        hash: Some(true),
        ..Request::default()
    };
    let data = answer(truth, &first).await.unwrap();
    let mut nodes = data.nodes.into_iter();
    let mut root = nodes.next().unwrap();
    let mut others = Vec::new();
    for node in nodes {
        // The siblings of the path come first, and then the other roots.
        let sibling = Index::new(root.index).sibling();
        if sibling == Index::new(node.index) {
            let size = root.size + node.size;
            let hash = crypto::parent_hash(&root.hash.into(), &node.hash.into(), size);
            root = Node {
                index: u64::midpoint(root.index, node.index),
                hash: hash.to_bytes(),
                size,
            };
        } else {
            others.push(node);
        }
    }
    others.insert(0, root);
    (others, data.signature)
}

/// A made-up block beside genuine roots and a genuine signature, after the truth about its neighbour or alone.
async fn forge(arena: Arena, pairs: bool) {
    let author = arena.author().clone();
    let (roots, signature) = roots(&author).await;
    for _ in 0..3 {
        let mut seeder = Seeder::of(&arena, &author).await;
        while let Some((request, data)) = seeder.asked().await {
            let data = match pairs && request.index % 2 == 0 {
                true => data,
                false => Data {
                    value: data.value.map(|value| vec![0x66; value.len()].into()),
                    nodes: roots.clone(),
                    signature,
                    ..data
                },
            };
            if !seeder.say(data).await {
                break;
            }
        }
    }
}

/// Says that it has what nobody can have, and never answers.
async fn claim(arena: Arena, start: u64, length: u64) {
    let mut hostile = Hostile::open(&arena).await;
    hostile.say(&have(start, length)).await;
    hostile.hold(Duration::from_secs(10)).await;
}

/// Has everything, and then nothing, by turns.
async fn taken_back(arena: Arena) {
    let mut hostile = Hostile::open(&arena).await;
    for _ in 0..2_000 {
        hostile.say(&have(0, BLOCKS)).await;
        let all = Unhave {
            start: 0,
            length: Some(BLOCKS),
        };
        hostile.say(&Message::Unhave(all)).await;
    }
}

/// Has everything, and answers nothing.
async fn stall(arena: Arena) {
    let author = arena.author().clone();
    let mut seeder = Seeder::of(&arena, &author).await;
    seeder.hostile.hold(Duration::from_secs(45)).await;
}

async fn stall_many(arena: Arena) {
    arena
        .many(6, |arena, _| async move { stall(arena).await })
        .await;
}

/// Answers truly, after three seconds each.
async fn slow(arena: Arena) {
    let author = arena.author().clone();
    let mut seeder = Seeder::of(&arena, &author).await;
    for _ in 0..15 {
        let Some((_, data)) = seeder.asked().await else {
            return;
        };
        arena.pause(Duration::from_secs(3)).await;
        seeder.say(data).await;
    }
}

/// Two leaves' sizes are shifted against each other; their parent's hash covers the sum only.
async fn poison(arena: Arena) {
    let author = arena.author().clone();
    let mut seeder = Seeder::of(&arena, &author).await;
    // Seeking asks for hashes.
    for byte in [20_000, 30_000, 40_000] {
        let seek = arena.victim().seek(byte).into_future();
        arena.sim().spawn("seek", seek);
    }
    while let Some((request, mut data)) = seeder.asked().await {
        if let [one, other, ..] = &mut data.nodes[..]
            && request.hash()
            && one.index.abs_diff(other.index) == 2
            && one.size > 0
        {
            one.size -= 1;
            other.size += 1;
        }
        if !seeder.say(data).await {
            break;
        }
    }
}
