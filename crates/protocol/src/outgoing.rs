//! What waits to be sent.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use noise::StreamCipher;
use wire::Message;

/// The most bytes that leave in one piece. A remote shows that it is alive by taking them, so they are not too many.
const MAX_PIECE: usize = 64 * 1024;

/// What waits to be sent: first what leaves as it is, then frames, which are encrypted as they leave.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// Messages of the handshake.
    clear: BytesMut,
    frames: BytesMut,
    cipher: Option<StreamCipher>,
    sent: u64,
    /// Whether there was anything beyond the handshake.
    said: bool,
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
        message.encode_frame(channel, &mut self.frames);
    }

    pub(crate) fn push_sign_of_life(&mut self) {
        self.said = true;
        self.frames.put_u8(0);
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let piece = match self.clear.is_empty() {
            true => {
                let mut piece = take(&mut self.frames);
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

    pub(crate) fn len(&self) -> usize {
        self.clear.len() + self.frames.len()
    }

    /// How much memory it takes.
    pub(crate) fn allocated(&self) -> usize {
        self.clear.capacity() + self.frames.capacity()
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
