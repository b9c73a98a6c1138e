//! The peers that a copy was fetched from, remembered in a file beside the feed.
//!
//! `DIR/peers` is text: an address on each line, `HOST:PORT`, the latest first. Programs that know only the six files of a feed
//! leave it alone, and it can be edited or deleted at any time. Nothing in it is trusted: whoever answers has to prove every
//! block like any other peer.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// How many are remembered.
const MOST: usize = 32;

/// How much of the file is looked at.
const LARGEST: u64 = 64 * 1024;

/// The file of a directory.
#[derive(Clone, Debug)]
pub(crate) struct KnownPeers(PathBuf);

impl KnownPeers {
    pub(crate) fn of(dir: &Path) -> Self {
        KnownPeers(dir.join("peers"))
    }

    /// The addresses, the latest first. None if there is no file that can be read.
    pub(crate) fn read(&self) -> Vec<String> {
        let mut bytes = Vec::new();
        let opened = fs::File::open(&self.0);
        if opened.is_ok_and(|file| file.take(LARGEST).read_to_end(&mut bytes).is_err()) {
            bytes.clear();
        }
        let text = String::from_utf8_lossy(&bytes);
        let addresses = text.lines().map(str::trim).filter(|line| is_address(line));
        addresses.map(str::to_owned).take(MOST).collect()
    }

    /// Puts an address first.
    pub(crate) fn remember(&self, address: &str) -> io::Result<()> {
        let mut addresses = self.read();
        if addresses.first().is_some_and(|first| first == address) || !is_address(address) {
            return Ok(());
        }
        addresses.retain(|known| known != address);
        addresses.insert(0, address.to_owned());
        addresses.truncate(MOST);
        // A reader sees the old file or the new one, never half of it.
        let new = self.0.with_extension("new");
        fs::write(&new, addresses.join("\n") + "\n")?;
        fs::rename(new, &self.0)
    }
}

/// Whether a text can be an address: `HOST:PORT`, without blanks and not longer than a name may be.
pub(crate) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let plain = |c: char| c.is_ascii_graphic() && !"?&'\"/#".contains(c);
    !host.is_empty() && text.len() <= 300 && text.chars().all(plain) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_is_first_and_each_is_there_once() {
        let dir = tempfile::tempdir().unwrap();
        let peers = KnownPeers::of(dir.path());
        assert!(peers.read().is_empty());
        for address in ["a:1", "b:2", "a:1", "[::1]:3"] {
            peers.remember(address).unwrap();
        }
        assert_eq!(peers.read(), ["[::1]:3", "a:1", "b:2"]);
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let dir = tempfile::tempdir().unwrap();
        let peers = KnownPeers::of(dir.path());
        for port in 1..=100 {
            peers.remember(&format!("host:{port}")).unwrap();
        }
        assert_eq!(peers.read().len(), MOST);
        assert_eq!(peers.read()[0], "host:100");
    }

    #[test]
    fn what_is_no_address_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let long = format!("{}:1", "h".repeat(400));
        let text = format!("\n#: 1\nnothing\nhost:\n:1\nhost:70000\n{long}\n host:7 \n\u{fe}");
        fs::write(dir.path().join("peers"), text).unwrap();
        assert_eq!(KnownPeers::of(dir.path()).read(), ["host:7"]);
        // Nor is it remembered.
        KnownPeers::of(dir.path()).remember("a b:1").unwrap();
        assert_eq!(KnownPeers::of(dir.path()).read(), ["host:7"]);
    }
}
