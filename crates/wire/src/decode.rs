//! Reading messages as leniently as JavaScript does where that is safe: fields in any order, the last of several wins,
//! unknown ones are skipped. Stricter where it isn't: bytes that claim more than is there, and keys, hashes and signatures
//! of another length, are errors.
//!
//! Source: `docs/protocol.md`, "Frames".

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::{
    Cancel, Close, Data, Error, Extension, Have, Kind, Limits, Message, Node, Open, Options,
    Request, Status, Unhave, Unwant, Want, varint,
};

/// The largest number that JavaScript holds exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

impl Message {
    /// Reads the body of a message. Its bytes are shared, not copied.
    ///
    /// # Errors
    /// [`Error`] if the body breaks the rules of its type or exceeds the limits.
    pub fn decode(kind: Kind, body: Bytes, limits: &Limits) -> Result<Message, Error> {
        let fields = Fields::new(&body);
        Ok(match kind {
            Kind::Open => Message::Open(open(fields)?),
            Kind::Options => Message::Options(options(fields, limits)?),
            Kind::Status => Message::Status(status(fields)?),
            Kind::Have => Message::Have(have(fields)?),
            Kind::Unhave => {
                let (start, length) = range(fields)?;
                Message::Unhave(Unhave { start, length })
            }
            Kind::Want => {
                let (start, length) = range(fields)?;
                Message::Want(Want { start, length })
            }
            Kind::Unwant => {
                let (start, length) = range(fields)?;
                Message::Unwant(Unwant { start, length })
            }
            Kind::Request => Message::Request(request(fields)?),
            Kind::Cancel => Message::Cancel(cancel(fields)?),
            Kind::Data => Message::Data(data(fields, limits)?),
            Kind::Close => Message::Close(close(fields)?),
            Kind::Extension => Message::Extension(extension(fields)?),
        })
    }
}

/// The fields of a protobuf message, one after the other.
pub(crate) struct Fields<'a> {
    /// The memory that values share.
    body: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(body: &'a Bytes) -> Self {
        Fields { body, rest: body }
    }

    /// The number and the wire type of the next field.
    fn next(&mut self) -> Result<Option<(u32, u8)>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = u32::try_from(tag >> 3).map_err(|_| Error::VarintTooLong)?;
        Ok(Some((field, (tag & 7) as u8)))
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let (value, len) = varint::read(self.rest)?.ok_or(Error::Truncated)?;
        self.take(len)?;
        Ok(value)
    }

    fn number(&mut self) -> Result<u64, Error> {
        match self.varint()? {
            value if value <= MAX_NUMBER => Ok(value),
            value => Err(Error::NumberTooLarge { value }),
        }
    }

    /// A flag is one byte, whatever it holds.
    fn flag(&mut self) -> Result<bool, Error> {
        let byte = self.take(1)?;
        Ok(byte != [0])
    }

    /// Bytes that are looked at and not kept.
    fn slice(&mut self) -> Result<&'a [u8], Error> {
        let len = self.varint()?;
        self.take(usize::try_from(len).map_err(|_| Error::Truncated)?)
    }

    /// Bytes that are kept, and share the memory of the message.
    fn bytes(&mut self) -> Result<Bytes, Error> {
        let slice = self.slice()?;
        Ok(self.body.slice_ref(slice))
    }

    fn array<const N: usize>(&mut self, field: u32) -> Result<[u8; N], Error> {
        let bytes = self.slice()?;
        bytes.try_into().map_err(|_| Error::Length {
            field,
            len: bytes.len(),
            expected: N,
        })
    }

    /// A message within this one.
    fn message(&mut self) -> Result<Fields<'a>, Error> {
        Ok(Fields {
            body: self.body,
            rest: self.slice()?,
        })
    }

    fn skip(&mut self, wire_type: u8) -> Result<(), Error> {
        match wire_type {
            0 => self.varint().map(|_| ()),
            1 => self.take(8).map(|_| ()),
            2 => self.slice().map(|_| ()),
            5 => self.take(4).map(|_| ()),
            wire_type => Err(Error::WireType { wire_type }),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn required<T>(field: u32, value: Option<T>) -> Result<T, Error> {
    value.ok_or(Error::Missing { field })
}

fn open(mut fields: Fields<'_>) -> Result<Open, Error> {
    let (mut discovery_key, mut capability) = (None, None);
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => discovery_key = Some(fields.array(field)?),
            2 => capability = Some(fields.array(field)?),
            _ => fields.skip(wire_type)?,
        }
    }
    Ok(Open {
        discovery_key: required(1, discovery_key)?,
        capability,
    })
}

fn options(mut fields: Fields<'_>, limits: &Limits) -> Result<Options, Error> {
    let mut options = Options::default();
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => {
                let name = fields.slice()?;
                if options.extensions.len() >= limits.max_extensions {
                    let max = limits.max_extensions;
                    return Err(Error::TooMany { max });
                }
                if name.len() > limits.max_extension_name {
                    return Err(Error::Length {
                        field,
                        len: name.len(),
                        expected: limits.max_extension_name,
                    });
                }
                let name = core::str::from_utf8(name).map_err(|_| Error::Utf8)?;
                options.extensions.push(String::from(name));
            }
            2 => options.ack = Some(fields.flag()?),
            _ => fields.skip(wire_type)?,
        }
    }
    Ok(options)
}

fn status(mut fields: Fields<'_>) -> Result<Status, Error> {
    let mut status = Status::default();
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => status.uploading = Some(fields.flag()?),
            2 => status.downloading = Some(fields.flag()?),
            _ => fields.skip(wire_type)?,
        }
    }
    Ok(status)
}

fn have(mut fields: Fields<'_>) -> Result<Have, Error> {
    let (mut start, mut have) = (None, Have::default());
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => start = Some(fields.number()?),
            2 => have.length = Some(fields.number()?),
            3 => have.bitfield = Some(fields.bytes()?),
            4 => have.ack = Some(fields.flag()?),
            _ => fields.skip(wire_type)?,
        }
    }
    have.start = required(1, start)?;
    Ok(have)
}

fn range(mut fields: Fields<'_>) -> Result<(u64, Option<u64>), Error> {
    let (mut start, mut length) = (None, None);
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => start = Some(fields.number()?),
            2 => length = Some(fields.number()?),
            _ => fields.skip(wire_type)?,
        }
    }
    Ok((required(1, start)?, length))
}

fn request(mut fields: Fields<'_>) -> Result<Request, Error> {
    let (mut index, mut request) = (None, Request::default());
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => index = Some(fields.number()?),
            2 => request.bytes = Some(fields.number()?),
            3 => request.hash = Some(fields.flag()?),
            // Bits, not a number.
            4 => request.nodes = Some(fields.varint()?),
            _ => fields.skip(wire_type)?,
        }
    }
    request.index = required(1, index)?;
    Ok(request)
}

fn cancel(mut fields: Fields<'_>) -> Result<Cancel, Error> {
    let (mut index, mut cancel) = (None, Cancel::default());
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => index = Some(fields.number()?),
            2 => cancel.bytes = Some(fields.number()?),
            3 => cancel.hash = Some(fields.flag()?),
            _ => fields.skip(wire_type)?,
        }
    }
    cancel.index = required(1, index)?;
    Ok(cancel)
}

fn data(mut fields: Fields<'_>, limits: &Limits) -> Result<Data, Error> {
    let (mut index, mut data) = (None, Data::default());
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => index = Some(fields.number()?),
            2 => data.value = Some(fields.bytes()?),
            3 => {
                let fields = fields.message()?;
                if data.nodes.len() >= limits.max_nodes {
                    let max = limits.max_nodes;
                    return Err(Error::TooMany { max });
                }
                push_node(&mut data.nodes, node(fields)?);
            }
            4 => data.signature = Some(fields.array(field)?),
            _ => fields.skip(wire_type)?,
        }
    }
    data.index = required(1, index)?;
    Ok(data)
}

/// Most proofs are short: grow by a few.
fn push_node(nodes: &mut Vec<Node>, node: Node) {
    if nodes.len() == nodes.capacity() {
        nodes.reserve(8);
    }
    nodes.push(node);
}

fn node(mut fields: Fields<'_>) -> Result<Node, Error> {
    let (mut index, mut hash, mut size) = (None, None, None);
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => index = Some(fields.number()?),
            2 => hash = Some(fields.array(field)?),
            3 => size = Some(fields.number()?),
            _ => fields.skip(wire_type)?,
        }
    }
    Ok(Node {
        index: required(1, index)?,
        hash: required(2, hash)?,
        size: required(3, size)?,
    })
}

fn close(mut fields: Fields<'_>) -> Result<Close, Error> {
    let mut close = Close::default();
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => close.discovery_key = Some(fields.array(field)?),
            _ => fields.skip(wire_type)?,
        }
    }
    Ok(close)
}

fn extension(mut fields: Fields<'_>) -> Result<Extension, Error> {
    let id = fields.varint()?;
    Ok(Extension {
        id,
        payload: fields.body.slice_ref(fields.rest),
    })
}

/// The nonce of a handshake payload, which is field 1 of a message of its own.
pub(crate) fn nonce(mut fields: Fields<'_>) -> Result<[u8; 24], Error> {
    let mut nonce = None;
    while let Some((field, wire_type)) = fields.next()? {
        match field {
            1 => nonce = Some(fields.array(field)?),
            _ => fields.skip(wire_type)?,
        }
    }
    required(1, nonce)
}
