//! What a block costs the machine: a clone from end to end, and messages about fragmented feeds.

use std::{hint::black_box, ops::Range, time::Duration};

use bitfield::RangeSet;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hypercore_replicate::{Action, Config, Local, PeerConfig, PeerId, Replicator};
use wire::{Data, Have, Message, Node};

const PEER: PeerId = PeerId(1);
const NOW: Duration = Duration::ZERO;
const WINDOW: u64 = 1 << 20;

#[derive(Clone)]
struct Feed(RangeSet);

impl Local for Feed {
    fn length(&self) -> u64 {
        self.0.end()
    }

    fn has(&self, block: u64) -> bool {
        self.0.contains(block)
    }

    fn has_all(&self, blocks: Range<u64>) -> bool {
        self.0.contains_all(blocks)
    }

    fn next_missing(&self, from: u64) -> u64 {
        self.0.next_out(from)
    }

    fn has_node_of(&self, block: u64) -> bool {
        self.0.contains(block)
    }

    fn digest(&self, _: u64) -> u64 {
        0
    }

    fn have_bits(&self, start: u64, out: &mut [u8]) {
        out.fill(0);
        let end = start + 8 * out.len() as u64;
        for bit in self
            .0
            .intersection(start..end)
            .flatten()
            .map(|block| block - start)
        {
            if let Some(byte) = out.get_mut((bit / 8) as usize) {
                *byte |= 128 >> (bit % 8);
            }
        }
    }
}

fn reader(max_requests: usize) -> Replicator {
    let config = Config {
        max_requests,
        ..Config::default()
    };
    let mut reader = Replicator::new(config);
    reader.add_peer(NOW, PEER, PeerConfig::default(), &Feed(RangeSet::new()));
    while reader.poll_action().is_some() {}
    reader
}

fn have(blocks: Range<u64>) -> Message {
    Message::Have(Have {
        start: blocks.start,
        length: Some(blocks.end - blocks.start),
        bitfield: None,
        ack: None,
    })
}

/// Fetches all blocks from one peer that answers at once.
fn fetch(mut reader: Replicator, blocks: u64) -> Replicator {
    let mut feed = Feed(RangeSet::new());
    reader.handle_message(NOW, PEER, have(0..blocks), &feed);
    while let Some(action) = reader.poll_action() {
        match action {
            Action::Send {
                message: Message::Request(request),
                ..
            } => {
                let data = Data {
                    index: request.index,
                    value: Some(Bytes::new()),
                    nodes: vec![Node {
                        index: 0,
                        hash: [0; 32],
                        size: 0,
                    }],
                    signature: None,
                };
                reader.handle_message(NOW, PEER, Message::Data(data), &feed);
            }
            Action::Store { data, .. } => {
                feed.0.insert(data.index..data.index + 1);
                reader.handle_stored(NOW, PEER, data.index, true, &feed);
            }
            _ => {}
        }
    }
    assert!(feed.has_all(0..blocks));
    reader
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("replicate");
    group.throughput(Throughput::Elements(10_000));
    for window in [16, 128, 1024] {
        group.bench_function(format!("fetch 10k blocks, window {window}"), |b| {
            b.iter_batched(
                || reader(window),
                |reader| fetch(reader, 10_000),
                BatchSize::LargeInput,
            );
        });
    }

    // Every other block of a window: as many runs as a peer may have here, then the rest is refused.
    let bits = Message::Have(Have {
        start: 0,
        length: Some(WINDOW),
        bitfield: Some(wire::rle_encode(&vec![0xaa; (WINDOW / 8) as usize]).into()),
        ack: None,
    });
    let nothing = Feed(RangeSet::new());
    group.throughput(Throughput::Bytes(WINDOW / 8));
    group.bench_function("have with a fragmented bitfield", |b| {
        b.iter_batched(
            || (reader(16), bits.clone()),
            |(mut reader, bits)| {
                reader.handle_message(NOW, PEER, bits, &nothing);
                reader
            },
            BatchSize::LargeInput,
        );
    });

    group.throughput(Throughput::Elements(1));
    group.bench_function("have of one block among 60k runs", |b| {
        let mut reader = reader(16);
        for n in 0..60_000 {
            reader.handle_message(NOW, PEER, have(2 * n..2 * n + 1), &nothing);
        }
        let mut n = 0;
        b.iter(|| {
            n = (n + 7) % 60_000;
            reader.handle_message(NOW, PEER, have(2 * n..2 * n + 1), &nothing);
            black_box(reader.poll_action())
        });
    });
    group.finish();
}

criterion_group!(replicate, benches);
criterion_main!(replicate);
