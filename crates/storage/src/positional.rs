//! Reads and writes at offsets, as each operating system offers them.
//!
//! None of them moves a file position, so threads don't get in each other's way.

use std::{fs, io, vec::Vec};

/// Reads `len` bytes, or what there is of them, into new memory.
pub(crate) fn read_vec(file: &fs::File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // The length may come from a damaged file.
    bytes
        .try_reserve_exact(len)
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    while bytes.len() < len {
        let next = offset.saturating_add(bytes.len() as u64);
        match os::read_more(file, &mut bytes, len, next) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Reads until `out` is full or the file ends.
pub(crate) fn read(file: &fs::File, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match os::read_at(file, rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all parts back to back.
pub(crate) fn write(file: &fs::File, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    if let [part] = parts {
        return write_slices(file, offset, &mut [io::IoSlice::new(part)]);
    }
    let mut slices: std::vec::Vec<io::IoSlice<'_>> =
        parts.iter().map(|part| io::IoSlice::new(part)).collect();
    write_slices(file, offset, &mut slices)
}

fn write_slices(file: &fs::File, offset: u64, slices: &mut [io::IoSlice<'_>]) -> io::Result<()> {
    let mut left = slices;
    // Those of no bytes.
    io::IoSlice::advance_slices(&mut left, 0);
    let mut offset = offset;
    while !left.is_empty() {
        match os::write_at(file, left, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => {
                io::IoSlice::advance_slices(&mut left, len);
                offset = offset
                    .checked_add(len as u64)
                    .ok_or(io::ErrorKind::FileTooLarge)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a hole that reads as zeros and takes no space. Without a way to do so, writes zeros.
pub(crate) fn punch(file: &fs::File, offset: u64, len: u64) -> io::Result<()> {
    match os::punch(file, offset, len) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => zero(file, offset, len),
        punched => punched,
    }
}

fn zero(file: &fs::File, offset: u64, len: u64) -> io::Result<()> {
    const ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];
    let mut done = 0;
    while done < len {
        let piece = (len - done).min(ZEROS.len() as u64);
        write(file, offset + done, &[&ZEROS[..piece as usize]])?;
        done += piece;
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod os {
    //! Gathered writes and holes.

    use std::{fs, io, os::unix::fs::FileExt, vec::Vec};

    use rustix::{
        buffer::spare_capacity,
        fs::{FallocateFlags, fallocate},
        io::{pread, pwritev},
    };

    /// More pieces the kernel doesn't take in one call.
    const IOV_MAX: usize = 1024;

    pub(super) fn read_at(file: &fs::File, out: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(out, offset)
    }

    /// Appends what is read to `bytes`, which has room for `len`, and doesn't write zeros there before.
    pub(super) fn read_more(
        file: &fs::File,
        bytes: &mut Vec<u8>,
        len: usize,
        offset: u64,
    ) -> io::Result<usize> {
        let before = bytes.len();
        let read = pread(file, spare_capacity(bytes), offset)?;
        // There may be more room than was asked for.
        bytes.truncate(len);
        Ok(read.min(bytes.len() - before))
    }

    pub(super) fn write_at(
        file: &fs::File,
        parts: &[io::IoSlice<'_>],
        offset: u64,
    ) -> io::Result<usize> {
        match parts {
            [part] => file.write_at(part, offset),
            parts => Ok(pwritev(file, &parts[..parts.len().min(IOV_MAX)], offset)?),
        }
    }

    pub(super) fn punch(file: &fs::File, offset: u64, len: u64) -> io::Result<()> {
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(fallocate(file, how, offset, len)?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod os {
    //! One write for several parts by way of a buffer, and no holes.

    use std::{fs, io, vec::Vec};

    pub(super) fn read_more(
        file: &fs::File,
        bytes: &mut Vec<u8>,
        len: usize,
        offset: u64,
    ) -> io::Result<usize> {
        let before = bytes.len();
        bytes.resize(len, 0);
        let read = read_at(file, bytes.get_mut(before..).unwrap_or_default(), offset);
        bytes.truncate(before + *read.as_ref().unwrap_or(&0));
        read
    }

    #[cfg(unix)]
    pub(super) fn read_at(file: &fs::File, out: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(file, out, offset)
    }

    #[cfg(windows)]
    pub(super) fn read_at(file: &fs::File, out: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(file, out, offset)
    }

    pub(super) fn write_at(
        file: &fs::File,
        parts: &[io::IoSlice<'_>],
        offset: u64,
    ) -> io::Result<usize> {
        match parts {
            [part] => write_one(file, part, offset),
            parts => {
                let joined: Vec<u8> = parts.iter().flat_map(|part| part.iter()).copied().collect();
                write_one(file, &joined, offset)
            }
        }
    }

    #[cfg(unix)]
    fn write_one(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(file, bytes, offset)
    }

    #[cfg(windows)]
    fn write_one(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
    }

    pub(super) fn punch(_: &fs::File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    // Where there are no files at all, such as in a browser, the crate still builds.
    #[cfg(not(any(unix, windows)))]
    pub(super) fn read_at(_: &fs::File, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(any(unix, windows)))]
    fn write_one(_: &fs::File, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
