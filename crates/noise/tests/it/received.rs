//! Messages as the vectors describe them.

use serde_json::{Value, json};
use wire::{Decoder, Limits, Message};

fn hex(bytes: impl AsRef<[u8]>) -> Value {
    let digits = bytes.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<String>().into()
}

/// All messages in a stream that is decrypted.
pub(crate) fn received(stream: &[u8]) -> Vec<Value> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.extend(stream);
    let mut messages = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        let message = Message::decode(frame.kind.unwrap(), frame.body, &Limits::default());
        messages.push(described(frame.channel, message.unwrap()));
    }
    assert_eq!(decoder.buffered(), 0, "the last frame is whole");
    messages
}

fn described(channel: u64, message: Message) -> Value {
    let (name, fields) = match message {
        Message::Open(it) => (
            "open",
            json!({ "discoveryKey": hex(it.discovery_key), "capability": it.capability.map(hex) }),
        ),
        Message::Options(it) => (
            "options",
            json!({ "extensions": it.extensions, "ack": it.ack() }),
        ),
        Message::Status(it) => (
            "status",
            json!({ "uploading": it.uploading(), "downloading": it.downloading() }),
        ),
        Message::Have(it) => (
            "have",
            json!({
                "start": it.start, "length": it.length(), "bitfield": it.bitfield.as_ref().map(hex),
                "ack": it.ack(),
            }),
        ),
        Message::Want(it) => ("want", json!({ "start": it.start, "length": it.length() })),
        Message::Request(it) => (
            "request",
            json!({
                "index": it.index, "bytes": it.bytes(), "hash": it.hash(), "nodes": it.nodes(),
            }),
        ),
        Message::Data(it) => {
            let nodes = it.nodes.iter().map(
                |node| json!({ "index": node.index, "hash": hex(node.hash), "size": node.size }),
            );
            let nodes: Vec<Value> = nodes.collect();
            (
                "data",
                json!({
                    "index": it.index, "value": it.value.as_ref().map(hex), "nodes": nodes,
                    "signature": it.signature.map(hex),
                }),
            )
        }
        Message::Close(it) => (
            "close",
            json!({ "discoveryKey": it.discovery_key.map(hex) }),
        ),
        Message::Extension(it) => {
            return json!({
                "name": "extension", "channel": channel, "id": it.id, "payload": hex(it.payload),
            });
        }
        other => panic!("the vectors have no {other:?}"),
    };
    json!({ "name": name, "channel": channel, "message": fields })
}
