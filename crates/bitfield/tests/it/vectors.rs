//! `bitfield-pages.json`, and the bitfields of the feeds that JavaScript wrote.

use std::path::Path;

use flat_tree::Index;
use hypercore_bitfield::{Bitfield, PageSize};
use testkit::vectors::{folder, hex, int, ints, list, load};

#[test]
fn pages_are_those_of_the_vectors() {
    for case in list(&load("bitfield-pages.json")) {
        let size = PageSize::from_bytes(int(&case["pageSize"]) as usize).unwrap();
        let mut bitfield = Bitfield::new(size);
        for op in list(&case["ops"]) {
            let op = list(op);
            let (from, to) = (int(&op[0]), int(&op[1]));
            let value = op[2] == true || op[2] == 1;
            // One by one, as JavaScript does; setting a block also sets its leaf, and each parent that is complete then.
            let mut draft = bitfield.draft();
            for block in from..to {
                draft.set_block(block, value);
                let mut node = Index::from_block(block);
                while value && draft.set_node(node, true) && draft.has_node(node.sibling()) {
                    node = node.parent();
                }
            }
            let changes = draft.finish();
            bitfield.apply(changes);
        }
        assert_pages(&bitfield, case);
        for total in list(&case["totals"]) {
            let (start, end) = (int(&total["start"]), int(&total["end"]));
            assert_eq!(bitfield.count_blocks(start..end), int(&total["total"]));
        }
        for zeros in list(&case["zeros"]) {
            let (start, end) = (int(&zeros["start"]), int(&zeros["end"]));
            let missing = std::iter::successors(Some(bitfield.next_missing(start)), |block| {
                Some(bitfield.next_missing(block + 1))
            });
            // The vectors list no more than the first 50.
            let missing: Vec<u64> = missing.take_while(|block| *block < end).take(50).collect();
            assert_eq!(missing, ints(&zeros["found"]));
        }
    }
}

fn assert_pages(bitfield: &Bitfield, case: &serde_json::Value) {
    let pages = list(&case["pages"]);
    assert_eq!(bitfield.pages(), pages.len() as u64);
    for (number, page) in (0..).zip(pages) {
        let bytes = bitfield.page_bytes(number);
        let mut expected = vec![0; bytes.len()];
        for (name, at) in [("data", 0), ("tree", 1024), ("index", 3072)] {
            let part = hex(&page[name]);
            expected[at..at + part.len()].copy_from_slice(&part);
        }
        // The index of old pages depends on the order of operations: a hint that nobody can reproduce.
        let compared = match bitfield.page_size() {
            PageSize::Current => bytes.len(),
            PageSize::Legacy => 3072,
        };
        assert!(bytes[..compared] == expected[..compared], "page {number}");
    }
}

#[test]
fn bitfields_of_vectors_are_written_as_they_were_read() {
    let mut count = 0;
    for name in ["sleep-v8", "sleep-v9"] {
        for entry in std::fs::read_dir(folder().join(name)).unwrap() {
            count += u32::from(round_trip(&entry.unwrap().path()));
        }
    }
    assert!(count > 20, "only {count} bitfields were compared");
}

fn round_trip(feed: &Path) -> bool {
    let file = std::fs::read(feed.join("bitfield")).unwrap();
    let Some((header, pages)) = file.split_at_checked(32) else {
        return false;
    };
    let size = usize::from(header[5]) << 8 | usize::from(header[6]);
    let size = PageSize::from_bytes(size).unwrap();
    let mut bitfield = Bitfield::new(size);
    // Backwards, because the order must not matter.
    for (number, page) in pages.chunks(size.bytes()).enumerate().rev() {
        bitfield.load_page(number as u64, page);
    }
    let written: Vec<u8> = (0..bitfield.pages())
        .flat_map(|page| bitfield.page_bytes(page))
        .collect();
    let bits = match size {
        PageSize::Current => size.bytes(),
        PageSize::Legacy => size.bytes() - size.index_bytes(),
    };
    assert_eq!(written.len(), pages.len(), "{}", feed.display());
    for (written, read) in written.chunks(size.bytes()).zip(pages.chunks(size.bytes())) {
        assert!(written[..bits] == read[..bits], "{}", feed.display());
    }
    true
}
