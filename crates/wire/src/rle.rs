//! The run-length code of bitfields.
//!
//! ```text
//! varint odd:   length << 2 | bit << 1 | 1     that many bytes of all zeros or all ones
//! varint even:  length << 1                    that many bytes follow as they are
//! ```
//!
//! Bits are numbered from the most significant one; zero bytes at the end are left out. Source: `docs/protocol.md`,
//! "Run-length code of bitfields".

use alloc::vec::Vec;
use core::ops::Range;

use bytes::BytesMut;

use crate::{Error, varint};

/// Encodes bits, byte for byte as JavaScript does.
pub fn rle_encode(bits: &[u8]) -> Vec<u8> {
    let end = bits
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let bits = bits.get(..end).unwrap_or_default();
    let mut encoder = Encoder {
        bits,
        out: BytesMut::new(),
        done: 0,
        run: 0,
        bit: false,
    };
    for (at, &byte) in bits.iter().enumerate() {
        if byte == encoder.run_byte() {
            encoder.run += 1;
            continue;
        }
        encoder.end_run(at);
        encoder.run = match byte {
            0 | 0xff => {
                encoder.bit = byte == 0xff;
                1
            }
            _ => 0,
        };
    }
    encoder.end_run(bits.len());
    encoder.literal(bits.len());
    encoder.out.into()
}

struct Encoder<'a> {
    bits: &'a [u8],
    out: BytesMut,
    /// The first byte that isn't written.
    done: usize,
    /// How many bytes directly before are all the same.
    run: usize,
    /// Whether those are ones.
    bit: bool,
}

impl Encoder<'_> {
    fn run_byte(&self) -> u8 {
        match self.bit {
            true => 0xff,
            false => 0,
        }
    }

    /// Writes the run that ends before `at` if that is shorter than writing its bytes.
    fn end_run(&mut self, at: usize) {
        if self.run == 0 {
            return;
        }
        let head = at - self.run - self.done;
        let repeat = (self.run as u64) << 2 | u64::from(self.bit) << 1 | 1;
        let split = match head {
            0 => 0,
            head => varint::len(2 * head as u64) + head,
        } + varint::len(repeat);
        let pending = at - self.done;
        let whole = varint::len(2 * pending as u64) + pending;
        if split < whole {
            self.literal(at - self.run);
            varint::write(repeat, &mut self.out);
            self.done = at;
        }
    }

    /// Writes what is pending before `at` as it is.
    fn literal(&mut self, at: usize) {
        let bytes = self.bits.get(self.done..at).unwrap_or_default();
        if !bytes.is_empty() {
            varint::write(2 * bytes.len() as u64, &mut self.out);
            self.out.extend_from_slice(bytes);
        }
        self.done = at;
    }
}

/// A run of the code.
enum Piece<'a> {
    Repeat { bytes: u64, bit: bool },
    Literal(&'a [u8]),
}

/// Takes the code apart. The total is measured before anything is done with the pieces, so that a few bytes can't
/// stand for gigabytes.
fn pieces(mut code: &[u8], max_bits: u64) -> Result<Vec<Piece<'_>>, Error> {
    let mut pieces = Vec::new();
    let mut total: u64 = 0;
    while !code.is_empty() {
        let (value, len) = varint::read(code)?.ok_or(Error::Run)?;
        code = code.get(len..).unwrap_or_default();
        let (piece, bytes) = if value & 1 == 1 {
            let bytes = value >> 2;
            let bit = value & 2 == 2;
            (Piece::Repeat { bytes, bit }, bytes)
        } else {
            let bytes = value >> 1;
            let literal = usize::try_from(bytes)
                .ok()
                .and_then(|len| code.split_at_checked(len));
            let (literal, rest) = literal.ok_or(Error::Run)?;
            code = rest;
            (Piece::Literal(literal), bytes)
        };
        total = total.saturating_add(bytes);
        // Whole bytes are coded: the last one may reach beyond.
        if total > max_bits.div_ceil(8) {
            return Err(Error::TooManyBits { max: max_bits });
        }
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Decodes to the runs of ones, in order, none of which touch.
///
/// # Errors
/// [`Error::Run`] if the code is damaged, [`Error::TooManyBits`] if it stands for more than `max_bits`.
///
/// ```
/// // Two bytes of ones and 11110000.
/// let runs = hypercore_wire::rle_decode(&[0x0b, 0x02, 0xf0], 1 << 20)?;
/// assert_eq!(runs, [0..20]);
/// # Ok::<_, hypercore_wire::Error>(())
/// ```
pub fn rle_decode(code: &[u8], max_bits: u64) -> Result<Vec<Range<u64>>, Error> {
    let mut runs = Runs(Vec::new());
    let mut at = 0;
    for piece in pieces(code, max_bits)? {
        match piece {
            Piece::Repeat { bytes, bit } => {
                if bit {
                    runs.push(at..at + 8 * bytes);
                }
                at += 8 * bytes;
            }
            Piece::Literal(bytes) => {
                for byte in bytes {
                    runs.push_byte(at, *byte);
                    at += 8;
                }
            }
        }
    }
    Ok(runs.0)
}

/// Decodes to bytes, as many as the code stands for.
///
/// # Errors
/// As [`rle_decode`].
pub fn rle_decode_bytes(code: &[u8], max_bits: u64) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for piece in pieces(code, max_bits)? {
        match piece {
            Piece::Repeat { bytes, bit } => {
                let byte = if bit { 0xff } else { 0 };
                out.extend((0..bytes).map(|_| byte));
            }
            Piece::Literal(bytes) => out.extend_from_slice(bytes),
        }
    }
    Ok(out)
}

struct Runs(Vec<Range<u64>>);

impl Runs {
    fn push(&mut self, run: Range<u64>) {
        match self.0.last_mut() {
            _ if run.is_empty() => {}
            Some(last) if last.end == run.start => last.end = run.end,
            _ => self.0.push(run),
        }
    }

    fn push_byte(&mut self, at: u64, byte: u8) {
        match byte {
            0 => {}
            0xff => self.push(at..at + 8),
            _ => {
                for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
                    self.push(at + bit..at + bit + 1);
                }
            }
        }
    }
}
