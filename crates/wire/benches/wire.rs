//! Writing and reading a Data message, splitting a stream, and coding a bitfield.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hypercore_wire::{Data, Decoder, Limits, Message, Node, rle_decode, rle_encode};

fn data(len: usize) -> Message {
    let node = Node {
        index: 123_456,
        hash: [7; 32],
        size: 65_536,
    };
    Message::Data(Data {
        index: 61_728,
        value: Some(vec![7; len].into()),
        nodes: vec![node; 4],
        signature: Some([9; 64]),
    })
}

fn messages(c: &mut Criterion) {
    let limits = Limits::default();
    for len in [100, 65_536] {
        let message = data(len);
        let mut frame = BytesMut::new();
        message.encode_frame(1, &mut frame);
        let mut group = c.benchmark_group(format!("data of {len} bytes"));
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function("encode", |b| {
            let mut out = BytesMut::with_capacity(2 * frame.len());
            b.iter(|| {
                out.clear();
                message.encode_frame(1, &mut out);
            });
        });
        group.bench_function("split and decode", |b| {
            let mut decoder = Decoder::new(limits);
            b.iter(|| {
                decoder.extend(&frame);
                let frame = decoder.next().unwrap().unwrap();
                black_box(Message::decode(frame.kind.unwrap(), frame.body, &limits).unwrap())
            });
        });
        group.finish();
    }
}

fn bitfields(c: &mut Criterion) {
    let bits: Vec<u8> = (0..131_072u32)
        .map(|n| if n % 100 == 0 { n as u8 } else { 0xff })
        .collect();
    let code = rle_encode(&bits);
    c.bench_function("encode a window", |b| {
        b.iter(|| rle_encode(black_box(&bits)))
    });
    c.bench_function("decode a window", |b| {
        b.iter(|| rle_decode(black_box(&code), 1 << 20).unwrap().count())
    });
}

criterion_group!(benches, messages, bitfields);
criterion_main!(benches);
