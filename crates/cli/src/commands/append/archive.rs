//! An archive in the format of tar, of files and folders as they lie on the disk.

use std::{
    fs,
    io::{self, BufWriter, PipeReader, PipeWriter, Write},
    path::{Path, PathBuf},
    thread,
};

/// So much is written to the pipe at a time: as much as one holds.
const PIPE_BYTES: usize = 64 * 1024;

/// What goes into an archive, each under its own name.
#[derive(Debug)]
pub(super) struct Paths(Vec<(PathBuf, PathBuf)>);

impl Paths {
    /// Names each path by its last part, wherever it lies.
    ///
    /// # Errors
    /// The first one that isn't there, before anything is read.
    pub(super) fn find(paths: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let find = |path: &PathBuf| match name(path) {
            Ok(name) => Ok((path.clone(), name)),
            Err(error) => Err((path.clone(), error)),
        };
        paths.iter().map(find).collect::<Result<_, _>>().map(Paths)
    }

    /// Packs them, and lets `read` have what comes of it. Links are packed as links.
    ///
    /// # Errors
    /// What `read` says; or, once that has read what could be packed, why the rest couldn't.
    pub(super) fn pack(self, read: impl FnOnce(PipeReader) -> io::Result<()>) -> io::Result<()> {
        let (reader, writer) = io::pipe()?;
        let packing = thread::spawn(move || self.write(writer));
        read(reader)?;
        match packing.join() {
            // Whoever reads has had enough.
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Ok(packed) => packed,
            Err(_) => Err(io::Error::other("packing broke off")),
        }
    }

    fn write(&self, writer: PipeWriter) -> io::Result<()> {
        let mut archive = tar::Builder::new(BufWriter::with_capacity(PIPE_BYTES, writer));
        archive.follow_symlinks(false);
        for (path, name) in &self.0 {
            match fs::symlink_metadata(path)?.is_dir() {
                true => archive.append_dir_all(name, path)?,
                false => archive.append_path_with_name(path, name)?,
            }
        }
        archive.into_inner()?.flush()
    }
}

fn name(path: &Path) -> io::Result<PathBuf> {
    fs::symlink_metadata(path)?;
    // What is called `.` has its name in the whole path.
    let whole = fs::canonicalize(path);
    let name = path.file_name().map(PathBuf::from);
    let name = name.or_else(|| whole.ok()?.file_name().map(PathBuf::from));
    name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no name"))
}
