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
use core::{iter::FusedIterator, ops::Range};

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

/// Decodes to the runs of ones, in order, none of which touch. The code is measured here, before anything is done with it,
/// so that a few bytes can't stand for gigabytes; the runs are made one at a time, and nothing is allocated.
///
/// # Errors
/// [`Error::Run`] if the code is damaged, [`Error::TooManyBits`] if it stands for more than `max_bits`, rounded up to whole
/// bytes.
///
/// ```
/// // Two bytes of ones and 11110000.
/// let runs = hypercore_wire::rle_decode(&[0x0b, 0x02, 0xf0], 1 << 20)?;
/// assert!(runs.eq([0..20]));
/// # Ok::<_, hypercore_wire::Error>(())
/// ```
pub fn rle_decode(code: &[u8], max_bits: u64) -> Result<Runs<'_>, Error> {
    measure(code, max_bits)?;
    Ok(Runs {
        code,
        literal: &[],
        bit: 0,
        at: 0,
        pending: None,
    })
}

/// Decodes to bytes, as many as the code stands for.
///
/// # Errors
/// As [`rle_decode`].
pub fn rle_decode_bytes(mut code: &[u8], max_bits: u64) -> Result<Vec<u8>, Error> {
    let len = usize::try_from(measure(code, max_bits)?);
    let mut out = Vec::with_capacity(len.map_err(|_| Error::TooManyBits { max: max_bits })?);
    while let Some(piece) = next_piece(&mut code)? {
        match piece {
            Piece::Repeat { bytes, bit } => {
                let byte = if bit { 0xff } else { 0 };
                // It fits: the sum of all does.
                out.resize(out.len() + bytes as usize, byte);
            }
            Piece::Literal(bytes) => out.extend_from_slice(bytes),
        }
    }
    Ok(out)
}

/// A part of the code.
enum Piece<'a> {
    Repeat { bytes: u64, bit: bool },
    Literal(&'a [u8]),
}

/// How many bytes the code stands for.
fn measure(mut code: &[u8], max_bits: u64) -> Result<u64, Error> {
    // Whole bytes are coded: the last one may reach beyond. Bits have to be countable too.
    let max = max_bits.div_ceil(8).min(u64::MAX / 8);
    let mut total: u64 = 0;
    while let Some(piece) = next_piece(&mut code)? {
        let bytes = match piece {
            Piece::Repeat { bytes, .. } => bytes,
            Piece::Literal(bytes) => bytes.len() as u64,
        };
        total = total.saturating_add(bytes);
        if total > max {
            return Err(Error::TooManyBits { max: max_bits });
        }
    }
    Ok(total)
}

/// Takes the first part off the code.
fn next_piece<'a>(code: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Error> {
    if code.is_empty() {
        return Ok(None);
    }
    let (value, len) = varint::read(code)?.ok_or(Error::Run)?;
    let rest = code.get(len..).unwrap_or_default();
    if value & 1 == 1 {
        *code = rest;
        return Ok(Some(Piece::Repeat {
            bytes: value >> 2,
            bit: value & 2 == 2,
        }));
    }
    let len = usize::try_from(value >> 1).ok();
    let (literal, rest) = len
        .and_then(|len| rest.split_at_checked(len))
        .ok_or(Error::Run)?;
    *code = rest;
    Ok(Some(Piece::Literal(literal)))
}

/// Iterator over runs of ones, made by [`rle_decode`].
#[derive(Clone, Debug)]
#[must_use = "iterators do nothing unless they are used"]
pub struct Runs<'a> {
    /// What hasn't been taken apart. It has been measured, so there is nothing wrong with it.
    code: &'a [u8],
    /// What is left of a literal.
    literal: &'a [u8],
    /// How many bits of its first byte are done, 0 to 7.
    bit: u32,
    /// The number of the first bit of that byte.
    at: u64,
    /// The run after the one that was returned, found because it doesn't touch it.
    pending: Option<Range<u64>>,
}

impl Runs<'_> {
    /// The next run that lies within one byte of a literal, or is a repetition.
    fn part(&mut self) -> Option<Range<u64>> {
        loop {
            if let Some((byte, rest)) = self.literal.split_first() {
                let left = byte << self.bit;
                if left == 0 {
                    self.literal = rest;
                    self.at += 8;
                    self.bit = 0;
                    continue;
                }
                let zeros = left.leading_zeros();
                let ones = (left << zeros).leading_ones();
                let start = self.at + u64::from(self.bit + zeros);
                self.bit += zeros + ones;
                if self.bit == 8 {
                    self.literal = rest;
                    self.at += 8;
                    self.bit = 0;
                }
                return Some(start..start + u64::from(ones));
            }
            match next_piece(&mut self.code).ok().flatten()? {
                Piece::Literal(bytes) => self.literal = bytes,
                Piece::Repeat { bytes, bit } => {
                    let start = self.at;
                    self.at += 8 * bytes;
                    if bit && bytes > 0 {
                        return Some(start..self.at);
                    }
                }
            }
        }
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let mut run = self.pending.take().or_else(|| self.part())?;
        while let Some(part) = self.part() {
            if part.start != run.end {
                self.pending = Some(part);
                break;
            }
            run.end = part.end;
        }
        Some(run)
    }
}

impl FusedIterator for Runs<'_> {}
