//! Splitting a stream into frames.
//!
//! ```text
//! varint length | varint (channel << 4 | type) | body
//! ```
//!
//! A length of zero is a sign of life. The limit of a type holds as soon as the header is there, so a peer makes us keep
//! what it has sent and never what it has announced.

use bytes::{Buf, Bytes, BytesMut};

use crate::{Error, Kind, Limits, varint};

/// A frame whose body hasn't been read.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The sender's number of the channel.
    pub channel: u64,
    /// The type; none for those that mean nothing, which are to be ignored.
    pub kind: Option<Kind>,
    /// What follows the header.
    pub body: Bytes,
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Frame")
            .field("channel", &self.channel)
            .field("kind", &self.kind)
            .field("len", &self.body.len())
            .finish()
    }
}

/// Splits bytes that arrive in any pieces into frames.
///
/// ```
/// use bytes::BytesMut;
/// use hypercore_wire::{Decoder, Limits, Message, Want};
///
/// let mut bytes = BytesMut::new();
/// let want = Message::Want(Want { start: 0, length: Some(1 << 20) });
/// want.encode_frame(1, &mut bytes);
///
/// let mut decoder = Decoder::new(Limits::default());
/// decoder.extend(&bytes[..3]);
/// assert_eq!(decoder.next()?, None);
/// decoder.extend(&bytes[3..]);
/// let frame = decoder.next()?.expect("the frame is whole");
/// assert_eq!(Message::decode(frame.kind.unwrap(), frame.body, &Limits::default())?, want);
/// # Ok::<_, hypercore_wire::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    limits: Limits,
}

impl Decoder {
    /// A decoder with nothing in it.
    pub fn new(limits: Limits) -> Self {
        Decoder {
            buffer: BytesMut::new(),
            limits,
        }
    }

    /// Appends what has arrived.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The bytes that wait, to append to in place.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// How many bytes wait.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// How much memory they take.
    pub fn allocated(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next whole frame, if there is one. Signs of life are passed over.
    ///
    /// # Errors
    /// [`Error`] if the stream breaks the rules: it can't be read on.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator has no errors between"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            let Some((len, prefix)) = varint::read(&self.buffer)? else {
                return Ok(None);
            };
            if len == 0 {
                self.buffer.advance(prefix);
                continue;
            }
            // Longer than any frame: no need to wait for its type.
            if len > self.longest() {
                return Err(Error::FrameTooLong {
                    kind: None,
                    len,
                    max: self.limits.data,
                });
            }
            let after = self.buffer.get(prefix..).unwrap_or_default();
            // A header that doesn't fit in the frame is an error even before it is all there.
            let within = after.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            let header = match varint::read(after.get(..within).unwrap_or_default())? {
                Some(header) => header,
                None if within as u64 == len => return Err(Error::FrameTooShort),
                None => return Ok(None),
            };
            return self.frame(len, prefix, header);
        }
    }

    /// A frame whose header is there.
    fn frame(
        &mut self,
        len: u64,
        prefix: usize,
        (header, header_len): (u64, usize),
    ) -> Result<Option<Frame>, Error> {
        let (channel, number) = (header >> 4, (header & 15) as u8);
        let kind = Kind::from_number(number);
        let body = len - header_len as u64;
        let max = self.limits.body(kind);
        if body > max as u64 {
            return Err(Error::FrameTooLong {
                kind,
                len: body,
                max,
            });
        }
        if channel > self.limits.max_channel {
            return Err(Error::Channel {
                channel,
                max: self.limits.max_channel,
            });
        }
        let whole = prefix + header_len + body as usize;
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(whole).freeze();
        frame.advance(prefix + header_len);
        if self.buffer.is_empty() || whole > LARGE {
            // The buffer shares the memory of the frame. Moving what is left out of it frees that with the frame, instead
            // of keeping as much as the largest frame ever took for a peer that says nothing more.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Some(Frame {
            channel,
            kind,
            body: frame,
        }))
    }

    fn longest(&self) -> u64 {
        let limits = &self.limits;
        let body = limits.data.max(limits.extension).max(limits.have);
        (body as u64).saturating_add(varint::MAX_LEN as u64)
    }
}

/// From this size on, what follows a frame is copied so that its memory can be given back.
const LARGE: usize = 256 * 1024;
