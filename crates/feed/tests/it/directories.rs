//! The directories that JavaScript wrote: read as it reads them, and written again byte for byte.

use std::{fs, path::Path};

use bytes::Bytes;
use crypto::{Dialect, Hash, PublicKey, SecretKey, Signature};
use flat_tree::{Index, full_roots};
use hypercore_feed::{Finding, ForkPolicy, OpenOptions};
use merkle::{Node, NodeSet, PortableProof, RemoteTree, Roots};
use serde_json::Value;
use sha2::{Digest, Sha256};
use storage::{Directory, File, MemoryFiles};
use testkit::vectors::{self, folder, hex, hex_array, int, ints, list, pattern_block};

use crate::world::{Log, bytes, contents, load, with_key};

const VERSIONS: [(&str, Dialect); 2] = [("sleep-v8", Dialect::V8), ("sleep-v9", Dialect::V9)];

/// Each directory with its description.
fn directories() -> Vec<(&'static str, Dialect, Value)> {
    let each = VERSIONS.iter().flat_map(|(version, dialect)| {
        let json = vectors::load(&format!("{version}.json"));
        let all = list(&json["directories"]).to_vec();
        all.into_iter().map(move |one| (*version, *dialect, one))
    });
    each.collect()
}

fn directory(version: &str, name: &str) -> Value {
    let all = directories().into_iter();
    let mut named = all.filter(|(of, _, one)| *of == version && one["name"] == name);
    named.next().unwrap().2
}

fn path(version: &str, one: &Value) -> std::path::PathBuf {
    folder().join(version).join(one["name"].as_str().unwrap())
}

fn block(one: &Value, index: u64) -> Bytes {
    let size = match one["sizes"].as_u64() {
        // Only their number is given then.
        Some(_) => u64::from(index.is_multiple_of(3)),
        None => int(&one["sizes"][index as usize]),
    };
    pattern_block(int(&one["base"]), index, size as usize).into()
}

fn node(value: &Value) -> Node {
    Node {
        index: Index::new(int(&value["index"])),
        size: int(&value["size"]),
        hash: Hash::new(hex_array(&value["hash"])),
    }
}

#[test]
fn vectors_of_directories_are_opened_with_every_block_they_have() {
    for (version, _, one) in directories() {
        let name = format!("{version}/{}", one["name"]);
        let files = load(&path(version, &one));
        let before = contents(&files);
        let log = Log::open(files.clone(), OpenOptions::default()).unwrap();
        let feed = &log.feed;
        assert_eq!(feed.key(), PublicKey::new(hex_array(&one["key"])), "{name}");
        assert_eq!(
            feed.discovery_key().as_bytes()[..],
            hex(&one["discoveryKey"]),
            "{name}"
        );
        assert_eq!(feed.length(), int(&one["length"]), "{name}");
        assert_eq!(feed.byte_length(), int(&one["byteLength"]), "{name}");
        assert_eq!(feed.is_writable(), one["writable"] == true, "{name}");
        assert_eq!(feed.is_live(), one["live"] == true, "{name}");
        let roots: Vec<Node> = list(&one["roots"]).iter().map(node).collect();
        assert_eq!(feed.roots().nodes(), roots, "{name}");
        if feed.length() > 0 {
            let hash = Hash::new(hex_array(&one["treeHash"]));
            assert_eq!(feed.roots().tree_hash(), hash, "{name}");
        }

        let ranges = list(&one["has"]).iter().map(ints);
        let has: Vec<u64> = ranges.flat_map(|ends| ends[0]..ends[1]).collect();
        assert_eq!(log.has(), has, "{name}");
        let mut hasher = Sha256::new();
        for index in &has {
            let bytes = log.get(*index).unwrap();
            assert_eq!(bytes, block(&one, *index), "{name}, block {index}");
            hasher.update(&bytes);
        }
        let digest = hex(&one["sha256OfPresentBlocks"]);
        assert_eq!(hasher.finalize()[..], digest, "{name}");

        // An intact feed is opened without a write.
        assert_eq!(log.written, 0, "{name}");
        assert_eq!(contents(&files), before, "{name}");
    }
}

#[test]
fn every_signature_of_the_vectors_is_the_authors() {
    let mut verified = 0;
    for (version, dialect, one) in directories() {
        let files = load(&path(version, &one));
        let log = Log::open(files.clone(), OpenOptions::default()).unwrap();
        let signatures = bytes(&files, File::Signatures);
        let tree = bytes(&files, File::Tree);
        let old = one["writtenByV8"].as_u64().unwrap_or(0);
        for (length, entry) in (1..).zip(signatures[32..].chunks(64)) {
            if entry.iter().all(|byte| *byte == 0) {
                continue;
            }
            let nodes = full_roots(length).map(|index| {
                assert!(log.feed.bitfield().has(index));
                let at = 32 + 40 * index.get() as usize;
                Node::from_bytes(index, tree[at..at + 40].try_into().unwrap()).unwrap()
            });
            let roots = Roots::from_nodes(length, nodes.collect()).unwrap();
            let signature = Signature::try_from(entry).unwrap();
            let witness = log.feed.key().verify(&roots.signable(), &signature);
            let form = if length <= old { Dialect::V8 } else { dialect };
            assert_eq!(witness.unwrap().dialect(), Some(form));
            verified += 1;
        }
    }
    assert!(verified > 300, "{verified}");
}

/// Files as they are on disk: absent ones are none.
fn on_disk(folder: &Path) -> Vec<Option<Vec<u8>>> {
    let read = |file: File| fs::read(folder.join(file.name())).ok();
    File::ALL.into_iter().map(read).collect()
}

fn assert_same_files(ours: &Path, theirs: &Path) {
    for (file, (ours, expected)) in File::ALL
        .iter()
        .zip(on_disk(ours).iter().zip(on_disk(theirs)))
    {
        let lens = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
        let theirs = theirs.display();
        assert_eq!(lens(ours), lens(&expected), "{theirs}/{file}");
        assert!(*ours == expected, "{theirs}/{file}");
    }
}

#[test]
fn vectors_of_appended_feeds_are_written_again_byte_for_byte() {
    let mut count = 0;
    for (version, dialect, one) in directories() {
        let theirs = path(version, &one);
        let secret = fs::read(theirs.join("secret_key")).ok();
        // What was truncated is another thing than what was appended; the index of old pages can't be reproduced.
        if one["batches"].is_null() || one["name"] == "truncated" || one["name"] == "old-page-size"
        {
            continue;
        }
        let ours = tempfile::tempdir().unwrap();
        let secret =
            secret.map(|bytes| SecretKey::from_bytes(bytes[..].try_into().unwrap()).unwrap());
        let options = |length| OpenOptions {
            key: Some(PublicKey::new(hex_array(&one["key"]))),
            secret_key: secret.clone(),
            dialect: match one["writtenByV8"].as_u64() {
                Some(old) if length < old => Dialect::V8,
                _ => dialect,
            },
            ..OpenOptions::default()
        };
        let mut log = Log::open(Directory::new(ours.path()), options(0)).unwrap();
        let signatures = fs::read(theirs.join("signatures")).unwrap();
        for (appended, batch) in ints(&one["batches"]).into_iter().enumerate() {
            let from = log.length();
            if appended == 20 || one["writtenByV8"] == from {
                drop(log);
                log = Log::open(Directory::new(ours.path()), options(from)).unwrap();
            }
            let to = from + batch;
            let plan = log
                .feed
                .plan_append((from..to).map(|index| block(&one, index)).collect());
            let plan = plan.unwrap();
            let commit = match secret {
                Some(_) => plan.sign(&log.feed),
                // The secret key wasn't kept: the signature is all that is left of it.
                None => {
                    let at = 32 + 64 * (to as usize - 1);
                    plan.with_signature(Signature::try_from(&signatures[at..at + 64]).unwrap())
                }
            };
            log.commit(commit.unwrap());
        }
        assert_same_files(ours.path(), &theirs);
        count += 1;
    }
    assert!(count >= 19, "{count}");
}

/// The writer whose copies the vectors hold, at length 100 and at 120. Its secret key isn't among them, its signatures are.
struct Source {
    log: Log,
    grown: Value,
    signatures: Vec<u8>,
}

impl Source {
    fn new(version: &str) -> Self {
        let grown = directory(version, "clone-grown");
        let signatures = fs::read(path(version, &grown).join("signatures")).unwrap();
        let key = PublicKey::new(hex_array(&grown["key"]));
        let (log, _) = Log::reader(key);
        let mut source = Source {
            log,
            grown,
            signatures,
        };
        source.grow(100);
        source
    }

    fn grow(&mut self, to: u64) {
        let blocks = (self.log.length()..to).map(|index| block(&self.grown, index));
        let plan = self.log.feed.plan_append(blocks.collect()).unwrap();
        let at = 32 + 64 * (to as usize - 1);
        let signature = Signature::try_from(&self.signatures[at..at + 64]).unwrap();
        self.log.commit(plan.with_signature(signature).unwrap());
    }
}

#[test]
fn vectors_of_copies_are_written_again_byte_for_byte() {
    for (version, _) in VERSIONS {
        for name in [
            "clone-full",
            "clone-sparse",
            "clone-update-only",
            "clone-grown",
        ] {
            let one = directory(version, name);
            let mut source = Source::new(version);
            let ours = tempfile::tempdir().unwrap();
            let options = OpenOptions {
                // JavaScript wants no proof that the feed has grown.
                fork_policy: ForkPolicy::Compat,
                ..with_key(source.log.feed.key())
            };
            let mut copy = Log::open(Directory::new(ours.path()), options).unwrap();
            let mut remote = RemoteTree::new();
            let mut fetch = |copy: &mut Log, source: &Log, block, hash| {
                copy.fetch(source, &mut remote, block, hash);
            };
            match name {
                // The order was random there, and makes no difference.
                "clone-full" => (0..100)
                    .rev()
                    .for_each(|index| fetch(&mut copy, &source.log, index, false)),
                "clone-update-only" => fetch(&mut copy, &source.log, 99, true),
                "clone-sparse" => ints(&one["got"])
                    .into_iter()
                    .for_each(|index| fetch(&mut copy, &source.log, index, false)),
                _ => {
                    for index in [3, 98] {
                        fetch(&mut copy, &source.log, index, false);
                    }
                    source.grow(120);
                    // Another connection, on which nothing is remembered.
                    let mut remote = RemoteTree::new();
                    for index in [119, 101, 50] {
                        copy.fetch(&source.log, &mut remote, index, false);
                    }
                }
            }
            match name {
                "clone-update-only" => same_but_for_a_pair(ours.path(), &path(version, &one), 99),
                _ => assert_same_files(ours.path(), &path(version, &one)),
            }
        }
    }
}

/// JavaScript stores the lowest pair of an answer without a block, whose sizes nobody has verified.
fn same_but_for_a_pair(ours: &Path, theirs: &Path, block: u64) {
    let (ours, theirs) = (load(ours), load(theirs));
    let pair = [Index::from_block(block), Index::from_block(block).sibling()];
    for file in [File::Key, File::SecretKey, File::Data, File::Signatures] {
        assert!(bytes(&ours, file) == bytes(&theirs, file), "{file}");
    }
    let mut tree = bytes(&theirs, File::Tree);
    for index in pair {
        let at = 32 + 40 * index.get() as usize;
        tree[at..at + 40].fill(0);
    }
    let written = bytes(&ours, File::Tree);
    assert!(written == tree[..written.len()]);
    assert!(tree[written.len()..].iter().all(|byte| *byte == 0));
    let nodes = |files: MemoryFiles| {
        let log = Log::reader_of(files);
        let bits = (0..log.feed.bitfield().node_bits()).map(Index::new);
        let nodes = bits.filter(|index| log.feed.bitfield().has(*index));
        (log.length(), nodes.collect::<Vec<_>>())
    };
    let (mut expected, stored) = (nodes(theirs), nodes(ours));
    expected.1.retain(|index| !pair.contains(index));
    assert_eq!(stored, expected);
}

#[test]
fn vectors_that_were_cleared_are_cleared_again() {
    for (version, dialect) in VERSIONS {
        for name in ["cleared", "cleared-end"] {
            let one = directory(version, name);
            let theirs = contents(&load(&path(version, &one)));
            let [key, secret, tree, data, bitfield, signatures] = &theirs;
            let files = MemoryFiles::default();
            let options = OpenOptions {
                secret_key: Some(SecretKey::from_bytes(secret[..].try_into().unwrap()).unwrap()),
                dialect,
                ..OpenOptions::default()
            };
            let mut log = Log::open(files.clone(), options).unwrap();
            // Where there is a signature an append ended.
            for (length, entry) in (1..).zip(signatures[32..].chunks(64)) {
                if entry.iter().any(|byte| *byte != 0) {
                    log.append((log.length()..length).map(|index| block(&one, index)));
                }
            }
            for range in list(&one["cleared"]).iter().map(ints) {
                log.clear(range[0]..range[1]).unwrap();
            }
            let ours = contents(&files);
            assert_eq!(&ours[File::Key as usize], key, "{name}");
            assert_eq!(&ours[File::SecretKey as usize], secret, "{name}");
            assert_eq!(&ours[File::Tree as usize], tree, "{name}");
            assert_eq!(&ours[File::Bitfield as usize], bitfield, "{name}");
            assert_eq!(&ours[File::Signatures as usize], signatures, "{name}");
            // JavaScript frees space at the end of the data only; here it is freed everywhere.
            let mut expected = data.clone();
            for range in list(&one["cleared"]).iter().map(ints) {
                let offset = |end| {
                    (0..end)
                        .map(|index| block(&one, index).len())
                        .sum::<usize>()
                };
                if let Some(bytes) = expected.get_mut(offset(range[0])..offset(range[1])) {
                    bytes.fill(0);
                }
            }
            assert_eq!(ours[File::Data as usize], expected, "{name}");
        }
    }
}

#[test]
fn vectors_of_static_feeds_are_written_again_byte_for_byte() {
    for (version, _) in VERSIONS {
        let one = directory(version, "not-live");
        let ours = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            live: false,
            ..OpenOptions::default()
        };
        let mut log = Log::open(Directory::new(ours.path()), options).unwrap();
        log.append((0..int(&one["length"])).map(|index| block(&one, index)));
        let commit = log.feed.commit_finalize().unwrap();
        log.commit(commit);
        assert_same_files(ours.path(), &path(version, &one));
    }
}

#[test]
fn vectors_are_proved_to_whoever_has_only_the_key() {
    let mut proved = 0;
    for (version, _, one) in directories() {
        let log = Log::open(load(&path(version, &one)), OpenOptions::default()).unwrap();
        let key = PublicKey::new(hex_array(&one["key"]));
        for index in log.has().into_iter().step_by(7) {
            let plan = log.feed.plan_portable_proof(index).unwrap();
            let proof = plan.finish(&log.files.read(plan.reads()).unwrap());
            let bytes = proof.unwrap().to_bytes();
            let proof = PortableProof::from_bytes(&bytes).unwrap();
            assert!(proof.verify(&key, &block(&one, index)).is_ok());
            assert!(proof.verify(&key, b"made up").is_err());
            assert_eq!(proof.length(), log.length());
            proved += 1;
        }
    }
    assert!(proved > 300, "{proved}");
}

#[test]
fn vectors_pass_every_audit() {
    for (version, _, one) in directories() {
        let log = Log::open(load(&path(version, &one)), OpenOptions::default()).unwrap();
        let report = log.audit(true);
        let name = format!("{version}/{}", one["name"]);
        assert_eq!(
            (report.valid, report.invalid),
            (log.has().len() as u64, 0),
            "{name}"
        );
        // JavaScript leaves bits of blocks that it has cut off.
        let expected = match one["name"] == "truncated" {
            true => vec![Finding::WrongBits { page: 0 }],
            false => vec![],
        };
        assert_eq!(report.findings, expected, "{name}");
    }
}

#[test]
fn vectors_with_old_pages_go_on_with_old_pages() {
    for (version, dialect) in VERSIONS {
        let one = directory(version, "old-page-size");
        let files = load(&path(version, &one));
        let options = OpenOptions {
            dialect,
            ..OpenOptions::default()
        };
        let mut log = Log::open(files.clone(), options.clone()).unwrap();
        let before = bytes(&files, File::Bitfield);
        // Into the second page.
        log.append((0..8000).map(|_| Bytes::from_static(b"x")));
        drop(log);
        let after = bytes(&files, File::Bitfield);
        assert_eq!(after.len(), 32 + 2 * 3328);
        assert_eq!(after[..32], before[..32]);
        // An index of zeros claims nothing. Ours would claim what isn't so, since its bytes have other places there.
        for page in after[32..].chunks(3328) {
            assert!(page[3072..].iter().all(|byte| *byte == 0));
        }
        let log = Log::open(files, options).unwrap();
        assert_eq!(log.length(), 8300);
        assert_eq!(log.has().len(), 8300);
        assert_eq!(log.get(7).unwrap(), block(&one, 7));
        assert_eq!(log.get(8299).unwrap(), "x");
    }
}

#[test]
fn vectors_that_were_truncated_grow_again() {
    let one = directory("sleep-v9", "truncated");
    let files = load(&path("sleep-v9", &one));
    // JavaScript leaves the bits of the blocks that it cut off, here 37 to 60.
    let bits = bytes(&files, File::Bitfield);
    assert_eq!(bits[32 + 5], 0xff);
    let mut log = Log::open(files.clone(), OpenOptions::default()).unwrap();
    log.append(["new"]);
    assert_eq!(log.has(), Vec::from_iter(0..38));
    drop(log);
    let log = Log::open(files, OpenOptions::default()).unwrap();
    let byte_length = int(&one["byteLength"]) + 3;
    assert_eq!((log.length(), log.feed.byte_length()), (38, byte_length));
    assert_eq!(log.has(), Vec::from_iter(0..38));
    assert_eq!(log.get(37).unwrap(), "new");
}

#[test]
fn vectors_of_all_kinds_are_handed_on_to_a_new_reader() {
    for (version, _, one) in directories() {
        let source = Log::open(load(&path(version, &one)), OpenOptions::default()).unwrap();
        let (mut copy, files) = Log::reader(source.feed.key());
        let mut remote = RemoteTree::new();
        for index in source.has().into_iter().take(300) {
            copy.fetch(&source, &mut remote, index, false);
            assert_eq!(copy.get(index).unwrap(), block(&one, index));
        }
        assert_eq!(
            copy.length(),
            if copy.has().is_empty() {
                0
            } else {
                source.length()
            }
        );
        let (live, has) = (copy.feed.is_live(), copy.has());
        drop(copy);
        let copy = Log::open(files, OpenOptions::default()).unwrap();
        assert_eq!((copy.feed.is_live(), copy.has()), (live, has));
    }
}

#[test]
fn signatures_of_the_vectors_are_made_by_appending() {
    let file = vectors::load("merkle.json");
    let (base, sizes) = (int(&file["base"]), ints(&file["sizes"]));
    for (dialect, name) in [(Dialect::V8, "signatureV8"), (Dialect::V9, "signatureV9")] {
        let files = MemoryFiles::default();
        let options = OpenOptions {
            seed: hex_array(&file["seed"]),
            dialect,
            ..OpenOptions::default()
        };
        let mut log = Log::open(files.clone(), options).unwrap();
        for state in list(&file["states"]) {
            let length = int(&state["length"]);
            let block = |at: u64| Bytes::from(pattern_block(base, at, sizes[at as usize] as usize));
            log.append((log.length()..length).map(block));
            assert_eq!(log.feed.byte_length(), int(&state["byteLength"]));
            if length > 0 && !state[name].is_null() {
                let at = 32 + 64 * (length as usize - 1);
                let signatures = bytes(&files, File::Signatures);
                assert_eq!(signatures[at..], hex(&state[name]), "{length}");
            }
        }
    }
}
