//! What the feeds are made of: files that our program and the scripts cut into the same blocks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Result;

/// How a file becomes blocks.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// A block of each line, without its end.
    Lines,
    /// Blocks of this size.
    Size(usize),
}

/// A file and the blocks that it stands for.
#[derive(Debug)]
pub(super) struct Content {
    path: PathBuf,
    cut: Cut,
    pub(super) blocks: Vec<Vec<u8>>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) feeds: Vec<Content>,
    /// What is appended to a feed that is there already.
    pub(super) more: Content,
}

/// The names of the feeds, in the order of `Contents::feeds`.
pub(super) const FEEDS: [&str; 5] = ["0", "1", "5", "1000-mixed", "100-of-64k"];

impl Contents {
    /// Makes them up and writes their files.
    pub(super) fn write(folder: &Path) -> Result<Self> {
        let [none, one, five, mixed, large] = FEEDS;
        let lines = |count: usize, max: usize| (0..count).map(|n| text(n, max)).collect();
        let feeds = vec![
            Content::write(folder, none, Cut::Lines, Vec::new())?,
            Content::write(folder, one, Cut::Lines, vec![b"only one".to_vec()])?,
            Content::write(folder, five, Cut::Lines, lines(5, 40))?,
            Content::write(folder, mixed, Cut::Lines, lines(1000, 3000))?,
            Content::write(folder, large, Cut::Size(64 * 1024), large_blocks())?,
        ];
        let more = vec![b"one more".to_vec(), Vec::new(), b"and the last".to_vec()];
        let more = Content::write(folder, "more", Cut::Lines, more)?;
        Ok(Contents { feeds, more })
    }
}

impl Content {
    fn write(folder: &Path, name: &str, cut: Cut, blocks: Vec<Vec<u8>>) -> Result<Self> {
        let path = folder.join(format!("{name}.input"));
        let bytes = match cut {
            Cut::Lines => blocks
                .iter()
                .flat_map(|block| [block, &b"\n"[..]].concat())
                .collect(),
            Cut::Size(_) => blocks.concat(),
        };
        fs::write(&path, bytes)?;
        Ok(Content { path, cut, blocks })
    }

    /// The arguments that make a program append it; ours and the scripts take the same.
    pub(super) fn arguments(&self) -> Vec<String> {
        let file = self.path.display().to_string();
        match self.cut {
            Cut::Lines => vec!["--lines".into(), file],
            Cut::Size(size) => vec!["--file".into(), file, "--block".into(), size.to_string()],
        }
    }
}

/// A line of up to so many characters, which is empty now and then, often in a row.
fn text(number: usize, max: usize) -> Vec<u8> {
    let len = match number % 11 {
        1 | 6 | 7 => 0,
        _ => number * 7919 % (max + 1),
    };
    bytes(number as u64, len)
        .map(|byte| b' ' + byte % 95)
        .collect()
}

fn large_blocks() -> Vec<Vec<u8>> {
    (0..100).map(|n| bytes(n, 64 * 1024).collect()).collect()
}

/// Bytes that look random and are the same in every run.
fn bytes(seed: u64, len: usize) -> impl Iterator<Item = u8> {
    let mut state = seed;
    (0..len).map(move |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
}
