//! What waits to be sent.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use noise::StreamCipher;
use wire::Message;

/// The most bytes that leave in one piece. A remote shows that it is alive by taking them, so they are not too many.
const MAX_PIECE: usize = 64 * 1024;

/// Blocks that are sent where they are, and not copied behind the frames before them: shorter ones aren't worth a piece of their
/// own, and of longer ones a small rest would keep all of the memory.
const APART: RangeInclusive<usize> = 8 * 1024..=2 * MAX_PIECE;

/// What waits to be sent: first what leaves as it is, then frames, which are encrypted as they leave.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// Messages of the handshake.
    clear: BytesMut,
    /// What comes before the frames, in order.
    parts: VecDeque<Part>,
    /// How many bytes these are.
    parts_len: usize,
    frames: BytesMut,
    cipher: Option<StreamCipher>,
    sent: u64,
    /// Whether there was anything beyond the handshake.
    said: bool,
}

#[derive(Debug)]
enum Part {
    Frames(BytesMut),
    /// A block that may be in use elsewhere.
    Block(Bytes),
}

impl Outgoing {
    pub(crate) fn push_clear(&mut self, bytes: &[u8]) {
        self.clear.extend_from_slice(bytes);
    }

    /// From here on frames are encrypted.
    pub(crate) fn encrypt(&mut self, cipher: StreamCipher) {
        self.cipher = Some(cipher);
    }

    pub(crate) fn push(&mut self, channel: u64, message: &Message) {
        self.said = true;
        let (parts, parts_len) = (&mut self.parts, &mut self.parts_len);
        message.encode_frame_around(channel, &mut self.frames, |frames, block| {
            let apart = APART.contains(&block.len());
            if apart {
                let before = frames.split();
                *parts_len += before.len() + block.len();
                parts.push_back(Part::Frames(before));
                parts.push_back(Part::Block(block.clone()));
            }
            apart
        });
    }

    pub(crate) fn push_sign_of_life(&mut self) {
        self.said = true;
        self.frames.put_u8(0);
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let piece = match self.clear.is_empty() {
            true => {
                let mut piece = self.pop_part().unwrap_or_else(|| take(&mut self.frames));
                if let Some(cipher) = &mut self.cipher {
                    cipher.apply(&mut piece);
                }
                piece
            }
            false => take(&mut self.clear),
        };
        self.sent += piece.len() as u64;
        (!piece.is_empty()).then(|| piece.freeze())
    }

    /// The first of the parts, or a piece of it.
    fn pop_part(&mut self) -> Option<BytesMut> {
        let mut part = match self.parts.pop_front()? {
            Part::Frames(part) => part,
            Part::Block(block) => block.try_into_mut().unwrap_or_else(BytesMut::from),
        };
        if part.len() > MAX_PIECE {
            let rest = part.split_off(MAX_PIECE);
            self.parts.push_front(Part::Frames(rest));
        }
        self.parts_len -= part.len();
        Some(part)
    }

    pub(crate) fn len(&self) -> usize {
        self.clear.len() + self.parts_len + self.frames.len()
    }

    /// How much memory it takes.
    pub(crate) fn allocated(&self) -> usize {
        self.clear.capacity() + self.parts_len + self.frames.capacity()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn has_said(&self) -> bool {
        self.said
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn drop_all(&mut self) {
        self.clear.clear();
        self.parts.clear();
        self.parts_len = 0;
        self.frames.clear();
    }
}

fn take(queue: &mut BytesMut) -> BytesMut {
    if queue.len() <= MAX_PIECE && queue.capacity() <= 2 * MAX_PIECE {
        return queue.split();
    }
    // A piece that shared the memory of a long queue would keep all of it until it has left.
    let (piece, rest) = queue.split_at(queue.len().min(MAX_PIECE));
    let (piece, left) = (BytesMut::from(piece), rest.len());
    match left {
        0 => *queue = BytesMut::new(),
        _ => queue.advance(piece.len()),
    }
    piece
}
