//! The trees of the feeds that JavaScript wrote, `sleep-v8.json` and `sleep-v9.json`: read, and written again.

use std::{cell::Cell, fs, ops::Range, path::Path};

use bitfield::{Bitfield, PageSize};
use bytes::Bytes;
use crypto::{Hash, PublicKey, Signature, Verified};
use flat_tree::{Index, full_roots};
use hypercore_merkle::{Node, Roots, blocks, insert};
use serde_json::Value;
use testkit::vectors::{folder, hex_array, int, ints, list, load, pattern_block};

/// The length of the header of each file.
const HEADER: usize = 32;

/// What the vectors tell about a feed, and its files.
struct Feed<'a> {
    about: &'a Value,
    tree: Vec<u8>,
    bitfield: Vec<u8>,
    signatures: Vec<u8>,
}

impl Feed<'_> {
    fn name(&self) -> &str {
        self.about["name"].as_str().unwrap()
    }

    fn length(&self) -> u64 {
        int(&self.about["length"])
    }

    fn block(&self, index: u64) -> Bytes {
        let sizes = &self.about["sizes"];
        let size = match sizes.is_array() {
            true => ints(sizes)[index as usize],
            // A count stands for blocks of one byte each where the number is a multiple of three, else none.
            false => u64::from(index.is_multiple_of(3)),
        };
        pattern_block(int(&self.about["base"]), index, size as usize).into()
    }

    fn page_size(&self) -> PageSize {
        let size = usize::from(self.bitfield[5]) << 8 | usize::from(self.bitfield[6]);
        PageSize::from_bytes(size).unwrap()
    }

    fn stored(&self) -> Bitfield {
        let mut stored = Bitfield::new(self.page_size());
        let pages = self.bitfield[HEADER..].chunks(self.page_size().bytes());
        for (number, page) in (0..).zip(pages) {
            stored.load_page(number, page);
        }
        stored
    }

    fn node(&self, index: Index) -> Node {
        let at = HEADER + Node::LEN * index.get() as usize;
        let bytes = self.tree[at..at + Node::LEN].try_into().unwrap();
        let node = Node::from_bytes(index, bytes).unwrap_or_else(|| panic!("{index} is blank"));
        assert_eq!(node.to_bytes(), *bytes);
        node
    }
}

fn for_each_feed(run: impl Fn(&Feed<'_>)) {
    for version in ["sleep-v8", "sleep-v9"] {
        for about in list(&load(&format!("{version}.json"))["directories"]) {
            let name = about["name"].as_str().unwrap();
            let read = |file: &str| {
                let path: &Path = &folder().join(version).join(name).join(file);
                fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            };
            run(&Feed {
                about,
                tree: read("tree"),
                bitfield: read("bitfield"),
                signatures: read("signatures"),
            });
        }
    }
}

#[test]
fn the_feeds_of_the_vectors_have_the_length_the_roots_and_the_nodes_they_should() {
    for_each_feed(|feed| {
        let (name, length) = (feed.name(), feed.length());
        let stored = feed.stored();
        assert_eq!(blocks(&stored), length, "{name}");
        let nodes = full_roots(length).map(|index| feed.node(index)).collect();
        let roots = Roots::from_nodes(length, nodes).unwrap();
        assert_eq!(
            roots.byte_length(),
            int(&feed.about["byteLength"]),
            "{name}"
        );
        if length > 0 {
            let expected = Hash::new(hex_array(&feed.about["treeHash"]));
            assert_eq!(roots.tree_hash(), expected, "{name}");
            signed(feed, &roots);
        }
        for index in (0..2 * length).map(Index::new) {
            if !stored.has_node(index) {
                continue;
            }
            let node = feed.node(index);
            match (index.block(), index.children()) {
                (Some(block), _) => {
                    let bytes = feed.block(block);
                    assert_eq!(node, Node::leaf(block, &bytes), "{name}");
                }
                // Whoever has one child of a node has the other too, or only the node.
                (_, Some((left, right))) if stored.has_node(left) && stored.has_node(right) => {
                    let parent = Node::parent(&feed.node(left), &feed.node(right));
                    assert_eq!(parent, Ok(node), "{name}");
                }
                _ => {}
            }
        }
    });
}

/// The author stands for the roots.
fn signed(feed: &Feed<'_>, roots: &Roots) {
    let key = PublicKey::new(hex_array(&feed.about["key"]));
    if feed.about["live"] == false {
        assert!(Verified::matching_key(&key, &roots.signable()).is_ok());
        return;
    }
    let at = HEADER + Signature::LEN * (roots.length() as usize - 1);
    let signature = Signature::try_from(&feed.signatures[at..at + Signature::LEN]).unwrap();
    assert!(
        key.verify(&roots.signable(), &signature).is_ok(),
        "{}",
        feed.name()
    );
}

#[test]
fn appending_the_blocks_of_the_vectors_writes_the_same_trees_and_bitfields() {
    let count = Cell::new(0);
    for_each_feed(|feed| {
        let (name, length) = (feed.name(), feed.length());
        let has: Vec<Range<u64>> = list(&feed.about["has"])
            .iter()
            .map(|range| int(&range[0])..int(&range[1]))
            .collect();
        // What was cut off has left traces, and copies have no more than they asked for.
        if name == "truncated" || !has.iter().eq([&(0..length)]) {
            return;
        }
        let all: Vec<Bytes> = (0..length).map(|index| feed.block(index)).collect();
        let growth = Roots::new().append(&all).unwrap();
        let mut tree = feed.tree[..HEADER].to_vec();
        let mut written = Bitfield::new(feed.page_size());
        let mut draft = written.draft();
        draft.set_blocks(0..length, true);
        for node in &growth.nodes {
            tree.resize(HEADER + Node::LEN * node.index.get() as usize, 0);
            tree.extend(node.to_bytes());
            insert(&mut draft, node.index);
        }
        assert!(tree == feed.tree, "{name}");
        let changes = draft.finish();
        written.apply(changes);
        let pages = feed.bitfield[HEADER..].chunks(feed.page_size().bytes());
        assert_eq!(written.pages(), pages.len() as u64, "{name}");
        let compared = match feed.page_size() {
            PageSize::Current => PageSize::Current.bytes(),
            // The index of old files can't be reproduced.
            PageSize::Legacy => PageSize::Legacy.bytes() - PageSize::Legacy.index_bytes(),
        };
        for (number, page) in (0..).zip(pages) {
            let bytes = written.page_bytes(number);
            assert!(
                bytes[..compared] == page[..compared],
                "{name}, page {number}"
            );
        }
        count.set(count.get() + 1);
    });
    assert!(count.get() > 10, "only {} feeds are whole", count.get());
}
