//! Feeds of a million blocks. Ours makes each once, when the first case needs it, and every case works on a copy.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde_json::json;

use super::{World, peers::Side, puppet::Puppet};
use crate::Result;

/// Blocks of a feed that goes beyond the window of 2^20 that readers ask about at a time.
pub(super) const LENGTH: u64 = (1 << 20) + 5000;

/// The size of its blocks.
pub(super) const SIZE: usize = 10;

/// The feeds that were made.
#[derive(Default)]
pub(super) struct Large(Mutex<Vec<Made>>);

/// One of them.
#[derive(Clone)]
struct Made {
    length: u64,
    size: usize,
    folder: PathBuf,
    key: String,
}

/// A copy of one.
pub(super) struct Copy {
    pub(super) key: String,
}

/// What a block of such a feed holds.
pub(super) fn block(number: u64, size: usize) -> Vec<u8> {
    format!("{number:0size$}").into_bytes()
}

impl Large {
    /// Puts a feed of so many blocks of a size into a folder.
    pub(super) fn copy(
        &self,
        world: &World,
        length: u64,
        size: usize,
        folder: &Path,
    ) -> Result<Copy> {
        let made = self.made(world, length, size)?;
        fs::create_dir_all(folder)?;
        for file in fs::read_dir(&made.folder)? {
            let file = file?;
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
        Ok(Copy { key: made.key })
    }

    fn made(&self, world: &World, length: u64, size: usize) -> Result<Made> {
        // Held all the while: a second case that wants it shall wait for it.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = all
            .iter()
            .find(|made| (made.length, made.size) == (length, size))
        {
            return Ok(made.clone());
        }
        let name = format!("large {length} {size}");
        let mut author = Puppet::start(world, Side::Ours, &name, &world.folder)?;
        let key = author.open("feed", json!({}))?["key"].clone();
        author.call(
            "fill",
            json!({ "feed": "feed", "length": length, "size": size }),
        )?;
        author.close("feed")?;
        let made = Made {
            length,
            size,
            folder: author.dir("feed"),
            key: key.as_str().unwrap_or_default().into(),
        };
        all.push(made.clone());
        Ok(made)
    }
}
