//! How what is read becomes blocks.

use std::io::{self, BufRead, ErrorKind, Read};

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::units::MAX_BLOCK;

/// How what is read becomes blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Blocks of a size, of which the last one has the rest.
    Blocks(usize),
    /// A block of each line, without its end.
    Lines,
    /// A block of each line, with its end. Each is JSON; empty ones are left out.
    JsonLines,
}

impl Cut {
    /// The next block. None at the end.
    ///
    /// # Errors
    /// If reading fails, and [`ErrorKind::InvalidData`] if a line is too long for a block, or isn't JSON and should be.
    pub(super) fn next(self, input: &mut impl BufRead) -> io::Result<Option<Bytes>> {
        if let Cut::Blocks(size) = self {
            return read_block(input, size);
        }
        while let Some(line) = read_line(input)? {
            if let Some(block) = self.line(line)? {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Whether the next block can be had from what is in a buffer, without waiting.
    pub(super) fn is_ready(self, buffer: &[u8]) -> bool {
        match self {
            Cut::Blocks(size) => buffer.len() >= size,
            Cut::Lines | Cut::JsonLines => buffer.contains(&b'\n'),
        }
    }

    /// The block of a line, which was read without its end. None if there is none of it.
    pub(super) fn line(self, mut line: Vec<u8>) -> io::Result<Option<Bytes>> {
        if self != Cut::JsonLines {
            return Ok(Some(line.into()));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        if line.len() >= MAX_BLOCK {
            return Err(too_long());
        }
        serde_json::from_slice::<IgnoredAny>(&line)
            .map_err(|error| invalid(format!("a line is not JSON: {error}")))?;
        line.push(b'\n');
        Ok(Some(line.into()))
    }
}

fn read_block(input: &mut impl Read, size: usize) -> io::Result<Option<Bytes>> {
    let mut block = Vec::with_capacity(size);
    input.take(size as u64).read_to_end(&mut block)?;
    Ok((!block.is_empty()).then(|| block.into()))
}

/// The next line, without its end. One that is too long for a block is refused before all of it is in memory.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let with_end = MAX_BLOCK as u64 + 1;
    if input.take(with_end).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MAX_BLOCK {
        return Err(too_long());
    }
    Ok(Some(line))
}

pub(super) fn too_long() -> io::Error {
    invalid(format!(
        "a line is longer than the {MAX_BLOCK} bytes of a block"
    ))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(cut: Cut, mut input: &[u8]) -> Vec<Bytes> {
        let mut blocks = Vec::new();
        while let Some(block) = cut.next(&mut input).unwrap() {
            blocks.push(block);
        }
        blocks
    }

    #[test]
    fn input_is_cut_into_blocks_with_the_rest_last() {
        assert_eq!(blocks(Cut::Blocks(3), b"abcdefg"), ["abc", "def", "g"]);
    }

    #[test]
    fn lines_lose_their_ends_and_empty_ones_stay() {
        assert_eq!(blocks(Cut::Lines, b"a\n\nb"), ["a", "", "b"]);
    }

    #[test]
    fn lines_of_json_keep_their_ends_and_empty_ones_go() {
        let cut = blocks(Cut::JsonLines, b"{\"a\":1}\n\n \n[2]\r\n3");
        assert_eq!(cut, ["{\"a\":1}\n", "[2]\r\n", "3\n"]);
        for line in [&b"{"[..], b"1 2\n", b"\xff\n"] {
            assert!(Cut::JsonLines.next(&mut &line[..]).is_err());
        }
    }

    #[test]
    fn a_line_that_fits_in_no_block_is_refused() {
        let fits = vec![b'x'; MAX_BLOCK];
        let line = read_line(&mut &[&fits[..], b"\ny"].concat()[..]).unwrap();
        assert_eq!(line.unwrap().len(), MAX_BLOCK);
        let line = read_line(&mut &fits[..]).unwrap();
        assert_eq!(line.unwrap().len(), MAX_BLOCK);
        assert!(read_line(&mut &[&fits[..], b"x\n"].concat()[..]).is_err());
        let digits = vec![b'1'; MAX_BLOCK];
        assert!(Cut::JsonLines.next(&mut &digits[..]).is_err());
    }
}
