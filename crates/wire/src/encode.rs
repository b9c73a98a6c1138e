//! Writing messages: protobuf fields in the order of their numbers, straight into the frame.
//!
//! Source: `docs/protocol.md`, "Frames".

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Message, Node, varint};

/// Where fields go. Two passes share one description of each message: the first only counts.
trait Sink {
    fn varint(&mut self, value: u64);
    fn bytes(&mut self, bytes: &[u8]);

    /// The value of a block.
    fn value(&mut self, value: &Bytes) {
        self.bytes(value);
    }
}

struct Count(usize);

impl Sink for Count {
    fn varint(&mut self, value: u64) {
        self.0 += varint::len(value);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

impl Sink for BytesMut {
    fn varint(&mut self, value: u64) {
        varint::write(value, self);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

/// Writes everything but a value that somebody else takes.
struct Around<'a, F> {
    out: &'a mut BytesMut,
    takes: F,
}

impl<F: FnMut(&mut BytesMut, &Bytes) -> bool> Sink for Around<'_, F> {
    fn varint(&mut self, value: u64) {
        varint::write(value, self.out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    fn value(&mut self, value: &Bytes) {
        if !(self.takes)(self.out, value) {
            self.out.put_slice(value);
        }
    }
}

impl Message {
    /// How many bytes the body takes.
    pub fn encoded_len(&self) -> usize {
        let mut count = Count(0);
        self.write(&mut count);
        count.0
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut BytesMut) {
        self.write(out);
    }

    /// Appends the message as a frame on a channel.
    pub fn encode_frame(&self, channel: u64, out: &mut BytesMut) {
        let body = self.encoded_len();
        out.reserve(2 * varint::MAX_LEN + body);
        self.write_header(channel, body, out);
        self.write(out);
    }

    /// The same, except that the value of a block needn't be copied. `takes` is shown it when everything in front of it has been
    /// appended; if it says that it has taken it, what stands behind it in the frame follows in `out`.
    pub fn encode_frame_around(
        &self,
        channel: u64,
        out: &mut BytesMut,
        takes: impl FnMut(&mut BytesMut, &Bytes) -> bool,
    ) {
        self.write_header(channel, self.encoded_len(), out);
        self.write(&mut Around { out, takes });
    }

    fn write_header(&self, channel: u64, body: usize, out: &mut BytesMut) {
        let header = channel << 4 | u64::from(self.kind().number());
        let len = varint::len(header) + body;
        varint::write(len as u64, out);
        varint::write(header, out);
    }

    fn write(&self, out: &mut impl Sink) {
        match self {
            Message::Open(open) => {
                bytes(out, 1, Some(&open.discovery_key));
                bytes(out, 2, open.capability.as_ref().map(|key| &key[..]));
            }
            Message::Options(options) => {
                for name in &options.extensions {
                    bytes(out, 1, Some(name.as_bytes()));
                }
                flag(out, 2, options.ack);
            }
            Message::Status(status) => {
                flag(out, 1, status.uploading);
                flag(out, 2, status.downloading);
            }
            Message::Have(have) => {
                number(out, 1, Some(have.start));
                number(out, 2, have.length);
                bytes(out, 3, have.bitfield.as_deref());
                flag(out, 4, have.ack);
            }
            Message::Unhave(unhave) => {
                number(out, 1, Some(unhave.start));
                number(out, 2, unhave.length);
            }
            Message::Want(want) => {
                number(out, 1, Some(want.start));
                number(out, 2, want.length);
            }
            Message::Unwant(unwant) => {
                number(out, 1, Some(unwant.start));
                number(out, 2, unwant.length);
            }
            Message::Request(request) => {
                number(out, 1, Some(request.index));
                number(out, 2, request.bytes);
                flag(out, 3, request.hash);
                number(out, 4, request.nodes);
            }
            Message::Cancel(cancel) => {
                number(out, 1, Some(cancel.index));
                number(out, 2, cancel.bytes);
                flag(out, 3, cancel.hash);
            }
            Message::Data(data) => {
                number(out, 1, Some(data.index));
                if let Some(value) = &data.value {
                    tag(out, 2, LENGTH);
                    out.varint(value.len() as u64);
                    out.value(value);
                }
                for node in &data.nodes {
                    tag(out, 3, LENGTH);
                    let mut len = Count(0);
                    write_node(&mut len, node);
                    out.varint(len.0 as u64);
                    write_node(out, node);
                }
                bytes(
                    out,
                    4,
                    data.signature.as_ref().map(|signature| &signature[..]),
                );
            }
            Message::Close(close) => {
                bytes(out, 1, close.discovery_key.as_ref().map(|key| &key[..]));
            }
            Message::Extension(extension) => {
                out.varint(extension.id);
                out.bytes(&extension.payload);
            }
        }
    }
}

/// The wire types in use: a varint, and bytes behind their length.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;

fn write_node(out: &mut impl Sink, node: &Node) {
    number(out, 1, Some(node.index));
    bytes(out, 2, Some(&node.hash));
    number(out, 3, Some(node.size));
}

fn tag(out: &mut impl Sink, field: u64, wire_type: u64) {
    out.varint(field << 3 | wire_type);
}

fn number(out: &mut impl Sink, field: u64, value: Option<u64>) {
    if let Some(value) = value {
        tag(out, field, VARINT);
        out.varint(value);
    }
}

fn flag(out: &mut impl Sink, field: u64, value: Option<bool>) {
    number(out, field, value.map(u64::from));
}

fn bytes(out: &mut impl Sink, field: u64, value: Option<&[u8]>) {
    if let Some(value) = value {
        tag(out, field, LENGTH);
        out.varint(value.len() as u64);
        out.bytes(value);
    }
}
