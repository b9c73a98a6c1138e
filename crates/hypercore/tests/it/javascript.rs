//! What the tests of JavaScript's hypercore 8.14 and 9.12 show of a feed on its own, said again in our words.
//!
//! Most of it stands where it belongs by its subject: appending, closing, destroying in `local`; keys and places in
//! `opening`; get, head, timeouts, waiting in `reading`; JSON and other values in `encodings`; the hook in `hooks`; streams,
//! sinks and the cutting of bytes in `streams`; seeking in `seeking`; audits in `space`; signatures and roots in `trust`;
//! updates and downloads in `fetching`; hashes before blocks in `copying`. Here is the rest: how often the files are written
//! and read, which bytes are in them, calls that overlap, and copies made in any order.
//!
//! Below it are the tests with peers, a module for each of JavaScript's files, named as they are there and played on a simulated
//! network. `docs/javascript-tests.md` says for each test of JavaScript's which one of ours shows the same.

mod ack;
mod extensions;
mod get;
mod head;
mod parts;
mod replicate;
mod seek;
mod selections;
mod stats;
mod switches;
mod three;
mod update;
mod values;

use std::time::Duration;

use async_channel::Sender;
use async_std::task;
use bytes::Bytes;
use futures_lite::{StreamExt, future::poll_once};
use futures_util::SinkExt;
use hypercore::{
    CacheConfig, Dialect, Error, File, Hypercore, Json, KeyPair, MemoryFiles, RandomAccess,
    SecretKey, Storage, Utf8,
};
use testkit::{Rng, vectors};

use crate::{
    pair::{assert_same, exchange, reader_of},
    watched::Watch,
};

/// A feed whose hook holds up every block until it is let go.
async fn held_up(storage: Storage) -> (Sender<()>, Hypercore) {
    let (let_go, held) = async_channel::unbounded::<()>();
    let hook = move |_, _, _| {
        let held = held.clone();
        async move { Ok(held.recv().await?) }
    };
    let feed = Hypercore::builder(storage).on_write(hook).open().await;
    (let_go, feed.unwrap())
}

#[test]
fn values_count_with_their_line_feeds_and_come_back_in_order() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let words = feed.typed::<Json<Vec<String>>>();
        let word = |text: &str| vec![text.to_owned()];
        let (one, two) = futures_lite::future::zip(
            words.append(word("hello")),
            words.append_batch([word("big"), word("world")]),
        )
        .await;
        assert_eq!((one.unwrap(), two.unwrap()), (0, 1..3));
        feed.flush().await.unwrap();
        assert_eq!((feed.len(), feed.byte_len()), (3, 10 + 8 + 10));
        assert_eq!(
            words.get_range(0..3).await.unwrap().concat(),
            ["hello", "big", "world"]
        );
        assert_eq!(words.head().encoding(Utf8).await.unwrap(), "[\"world\"]\n");
    });
}

#[test]
fn a_flush_completes_behind_the_appends_before_it() {
    task::block_on(async {
        let (let_go, feed) = held_up(Storage::memory()).await;
        let append = feed.append("a");
        let flush = feed.flush();
        futures_lite::pin!(append, flush);
        assert!(poll_once(append.as_mut()).await.is_none());
        assert!(poll_once(flush.as_mut()).await.is_none());
        assert_eq!(feed.len(), 0);
        let_go.send(()).await.unwrap();
        assert_eq!(append.await.unwrap(), 0);
        flush.await.unwrap();
        assert_eq!(feed.len(), 1);
    });
}

#[test]
fn what_gathers_is_one_write_a_file() {
    task::block_on(async {
        let watch = Watch::default();
        let feed = Hypercore::open(watch.storage()).await.unwrap();
        let mut sink = feed.write();
        for pair in [["ab", "cd"], ["ef", "gh"]] {
            for block in pair {
                sink.feed(block).await.unwrap();
            }
            sink.flush().await.unwrap();
        }
        assert_eq!(watch.take(File::Data, "write"), [(0, 4), (4, 4)]);
        // A signature for each length at which an append ended; the slots of the others stay empty.
        let signatures = watch.take(File::Signatures, "write");
        assert_eq!(signatures[signatures.len() - 2..], [(96, 64), (224, 64)]);
    });
}

#[test]
fn appends_that_come_while_one_is_written_are_written_together() {
    task::block_on(async {
        let watch = Watch::default();
        let (let_go, feed) = held_up(watch.storage()).await;
        let texts = ["first", "a", "b", "c", "d"];
        let mut appends = texts.map(|text| Box::pin(feed.append(text)));
        for append in &mut appends {
            assert!(poll_once(append).await.is_none());
        }
        for _ in texts {
            let_go.send(()).await.unwrap();
        }
        for (append, expected) in appends.into_iter().zip(0..) {
            assert_eq!(append.await.unwrap(), expected);
        }
        assert_eq!(watch.take(File::Data, "write"), [(0, 5), (5, 4)]);
        assert_eq!(feed.signature(1).unwrap().block, 4);
    });
}

#[test]
fn numbers_stay_right_when_sinks_and_appends_take_turns() {
    task::block_on(async {
        let files = MemoryFiles::default();
        let feed = Hypercore::open(Storage::custom(files.clone()))
            .await
            .unwrap();
        let mut sink = feed.write();
        sink.send("a").await.unwrap();
        assert_eq!(feed.append("b").await.unwrap(), 1);
        sink.feed("c").await.unwrap();
        sink.feed("d").await.unwrap();
        sink.close().await.unwrap();
        assert_eq!(feed.append_batch(["e", "f"]).await.unwrap(), 4..6);
        feed.close().await.unwrap();
        drop((feed, sink));

        let feed = Hypercore::open(Storage::custom(files)).await.unwrap();
        assert_eq!(feed.append("g").await.unwrap(), 6);
        let all: Vec<Bytes> = feed.read(..).map(Result::unwrap).collect().await;
        assert_eq!(all.concat(), b"abcdefg");
    });
}

#[test]
fn closing_lets_go_of_all_six_files_even_while_handles_are_left() {
    task::block_on(async {
        let watch = Watch::default();
        let feed = Hypercore::open(watch.storage()).await.unwrap();
        feed.append("a").await.unwrap();
        assert_eq!(watch.open_files(), 6);
        feed.close().await.unwrap();
        assert_eq!(watch.open_files(), 0);
        assert!(matches!(feed.get(0).await, Err(Error::Closed)));
    });
}

#[test]
fn nodes_are_read_once_unless_the_cache_is_off_and_blocks_whenever_they_are_asked_for() {
    for (cache, again) in [
        (CacheConfig::default(), false),
        (CacheConfig::Disabled, true),
        (CacheConfig::Entries(0), true),
    ] {
        task::block_on(async {
            let watch = Watch::default();
            let builder = Hypercore::builder(watch.storage()).cache(cache);
            let feed = builder.open().await.unwrap();
            feed.append_batch((0..9).map(|n| n.to_string()))
                .await
                .unwrap();
            feed.get(5).await.unwrap();
            watch.forget();
            feed.get(5).await.unwrap();
            assert_eq!(
                !watch.take(File::Tree, "read").is_empty(),
                again,
                "{cache:?}"
            );
            assert_eq!(watch.take(File::Data, "read"), [(5, 1)]);
        });
    }
}

#[test]
fn a_feed_opens_without_its_blocks_being_read() {
    task::block_on(async {
        let watch = Watch::default();
        let feed = Hypercore::open(watch.storage()).await.unwrap();
        feed.append_batch((0..1000).map(|n| n.to_string()))
            .await
            .unwrap();
        feed.close().await.unwrap();
        watch.forget();
        let feed = Hypercore::open(watch.storage()).await.unwrap();
        assert_eq!(feed.len(), 1000);
        // One byte tells whether there is anything.
        let data = watch.take(File::Data, "read");
        assert!(data.iter().all(|(_, len)| *len <= 1), "{data:?}");
        let tree = watch.take(File::Tree, "read");
        let bytes: usize = tree.iter().map(|(_, len)| len).sum();
        // The header and the roots.
        assert!(bytes <= 32 + 40 * 64, "{tree:?}");
    });
}

#[test]
fn on_disk_the_blocks_lie_back_to_back() {
    task::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        Hypercore::open(folder.path())
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        let feed = Hypercore::builder(folder.path())
            .overwrite(true)
            .open()
            .await
            .unwrap();
        feed.append_batch(["hello", "", " wor"]).await.unwrap();
        feed.append("ld").await.unwrap();
        let key = feed.key();
        feed.close().await.unwrap();
        let data = std::fs::read(folder.path().join("data")).unwrap();
        assert_eq!(data, b"hello world");
        let stored = std::fs::read(folder.path().join("key")).unwrap();
        assert_eq!(stored, key.to_bytes());
        let feed = Hypercore::open(folder.path()).await.unwrap();
        assert_eq!((feed.key(), feed.len()), (key, 4));
        assert!(feed.is_writable());
    });
}

#[test]
fn a_wait_with_time_to_spare_ends_with_the_append() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let mut get = feed.get(0).timeout(Duration::from_secs(3600)).into_future();
        assert!(poll_once(&mut get).await.is_none());
        feed.append("in time").await.unwrap();
        assert_eq!(get.await.unwrap(), "in time");
    });
}

#[test]
fn whoever_drops_a_wait_ends_it_for_nobody_else() {
    task::block_on(async {
        let feed = Hypercore::open(Storage::memory()).await.unwrap();
        let mut dropped = feed.get(1).into_future();
        let mut kept = feed.get(1).into_future();
        let mut seek = feed.seek(2).into_future();
        assert!(poll_once(&mut dropped).await.is_none());
        assert!(poll_once(&mut kept).await.is_none());
        assert!(poll_once(&mut seek).await.is_none());
        drop((dropped, seek));
        let mut again = feed.get(1).into_future();
        let mut range = feed.get_range(0..2).into_future();
        assert!(poll_once(&mut again).await.is_none());
        assert!(poll_once(&mut range).await.is_none());
        feed.append_batch(["a", "b"]).await.unwrap();
        assert_eq!(
            (kept.await.unwrap(), again.await.unwrap()),
            ("b".into(), "b".into())
        );
        assert_eq!(range.await.unwrap(), ["a", "b"]);
    });
}

#[test]
fn a_stream_into_a_sink_copies_a_feed_whatever_the_read_ahead() {
    for batch in [1, 10] {
        task::block_on(async {
            let from = Hypercore::open(Storage::memory()).await.unwrap();
            let blocks: Vec<String> = (0..35).map(|n| format!("block {n}")).collect();
            from.append_batch(blocks).await.unwrap();
            let to = Hypercore::open(Storage::memory()).await.unwrap();
            let mut stream = from.read(..).batch(batch);
            to.write().send_all(&mut stream).await.unwrap();
            assert_eq!((to.len(), to.tree_hash()), (35, from.tree_hash()));

            // A live one goes on where the copy ended.
            let mut live = from.read(33..).live(true).batch(batch);
            for n in 33..35 {
                assert_eq!(live.next().await.unwrap().unwrap(), format!("block {n}"));
            }
            let mut next = Box::pin(live.next());
            assert!(poll_once(next.as_mut()).await.is_none());
            from.append("block 35").await.unwrap();
            assert_eq!(next.await.unwrap().unwrap(), "block 35");
        });
    }
}

/// Appends and copies in random order: what a holder has can be proved to whoever knows less, or other things.
#[test]
fn copies_made_in_any_order_while_the_feed_grows_end_alike() {
    for round in 0..12 {
        task::block_on(async {
            let seed = testkit::seed(round);
            let mut rng = Rng::new(seed);
            let dialect = [Dialect::V8, Dialect::V9][rng.below(2) as usize];
            let builder = Hypercore::builder(Storage::memory()).dialect(dialect);
            let mut feeds = vec![builder.open().await.unwrap()];
            for _ in 0..1 + rng.below(3) {
                feeds.push(reader_of(&feeds[0]).await);
            }
            for _ in 0..150 {
                if rng.one_in(4) {
                    let blocks = 1 + rng.below(5);
                    let blocks = (0..blocks).map(|_| Bytes::from(rng.bytes(3)));
                    let blocks: Vec<Bytes> = blocks.collect();
                    feeds[0].append_batch(blocks).await.unwrap();
                    continue;
                }
                let from = rng.below(feeds.len() as u64) as usize;
                let to = 1 + rng.below(feeds.len() as u64 - 1) as usize;
                let (from, to) = (&feeds[from], &feeds[to]);
                let block = rng.below(from.len() + 1);
                if from.has(block) {
                    copy(from, to, block, rng.one_in(5)).await;
                }
            }
            for copied in &feeds[1..] {
                for block in 0..feeds[0].len() {
                    copy(&feeds[0], copied, block, false).await;
                }
                assert_same(&feeds[0], copied).await;
                assert!(copied.deep_audit().await.unwrap().is_clean(), "SEED={seed}");
            }
        });
    }
}

/// Copies a block, or only its hashes, as far as it can be shown that the two copies are of one history.
async fn copy(from: &Hypercore, to: &Hypercore, block: u64, hashes: bool) {
    let proof = from.proof(block).digest(to.digest(block)).hash(hashes);
    let value = match hashes {
        true => None,
        false => Some(from.get(block).await.unwrap()),
    };
    let proof = proof.await.unwrap();
    if let Err(error) = to.put(proof.clone(), value.clone()).await {
        let Error::Unproven { by, .. } = error else {
            panic!("{error}");
        };
        let Ok(shown) = from.proof(by).digest(to.digest(by)).hash(true).await else {
            return assert!(!to.has(block));
        };
        to.put(shown, None).await.unwrap();
        to.put(proof, value).await.unwrap();
    }
    assert!(hashes || to.has(block));
}

/// The same key, blocks and appends give the files that JavaScript wrote, and a copy over a connection has them too.
#[test]
fn vectors_of_feeds_are_written_and_copied_byte_for_byte() {
    for (version, dialect) in [("sleep-v8", Dialect::V8), ("sleep-v9", Dialect::V9)] {
        for name in ["len-1", "len-3", "len-10", "batch-7", "len-100"] {
            task::block_on(async {
                let theirs = vectors::folder().join(version).join(name);
                let read = |file: &str| std::fs::read(theirs.join(file)).unwrap();
                let json = vectors::load(&format!("{version}.json"));
                let mut all = vectors::list(&json["directories"]).iter();
                let one = all.find(|one| one["name"] == name).unwrap();
                let secret = read("secret_key");
                let secret = SecretKey::from_bytes(secret[..].try_into().unwrap()).unwrap();

                let folder = tempfile::tempdir().unwrap();
                let feed = Hypercore::builder(folder.path())
                    .secret_key(secret)
                    .dialect(dialect)
                    .open()
                    .await
                    .unwrap();
                let (base, sizes) = (vectors::int(&one["base"]), vectors::ints(&one["sizes"]));
                for batch in vectors::ints(&one["batches"]) {
                    let blocks = (feed.len()..feed.len() + batch).map(|block| {
                        vectors::pattern_block(base, block, sizes[block as usize] as usize)
                    });
                    feed.append_batch(blocks.collect::<Vec<_>>()).await.unwrap();
                }
                let copy = tempfile::tempdir().unwrap();
                let reader = Hypercore::builder(copy.path())
                    .key(feed.key())
                    .dialect(dialect)
                    .open()
                    .await
                    .unwrap();
                exchange(&reader, &feed).await;
                feed.close().await.unwrap();
                reader.close().await.unwrap();

                let ours = |folder: &tempfile::TempDir, file: &str| {
                    std::fs::read(folder.path().join(file)).unwrap()
                };
                for file in [
                    "key",
                    "secret_key",
                    "tree",
                    "data",
                    "signatures",
                    "bitfield",
                ] {
                    assert!(ours(&folder, file) == read(file), "{version}/{name}/{file}");
                }
                for file in ["key", "tree", "data", "bitfield"] {
                    assert!(ours(&copy, file) == read(file), "a copy of {name}/{file}");
                }
                // Only the last signature is needed, and kept.
                let signatures = ours(&copy, "signatures");
                let last = signatures.len() - 64;
                assert_eq!(signatures[last..], read("signatures")[last..]);
                assert!(signatures[32..last].iter().all(|byte| *byte == 0));
            });
        }
    }
}

#[test]
fn vectors_signed_in_both_forms_are_copied_and_go_on_in_either() {
    for dialect in [Dialect::V8, Dialect::V9] {
        task::block_on(async {
            let files = MemoryFiles::default();
            let theirs = vectors::folder().join("sleep-v9/mixed-8-then-9");
            for file in File::ALL {
                let bytes = std::fs::read(theirs.join(file.to_string())).unwrap();
                files.file(file).write(0, &[&bytes]).unwrap();
            }
            let feed = Hypercore::builder(Storage::custom(files))
                .dialect(dialect)
                .open()
                .await
                .unwrap();
            for block in 0..feed.len() {
                let at = feed.signature(block).unwrap();
                assert!(feed.verify(at.block, &at.signature).unwrap(), "{block}");
            }
            let reader = reader_of(&feed).await;
            for more in ["", "one more"] {
                if !more.is_empty() {
                    feed.append(more).await.unwrap();
                }
                exchange(&reader, &feed).await;
                assert_same(&feed, &reader).await;
            }
        });
    }
}

#[test]
fn a_signature_depends_on_nothing_but_key_blocks_and_form() {
    task::block_on(async {
        let mut signatures = Vec::new();
        for (batches, dialect) in [
            (vec![vec!["a", "b"]], Dialect::V8),
            (vec![vec!["a"], vec!["b"]], Dialect::V8),
            (vec![vec!["a", "b"]], Dialect::V9),
        ] {
            let feed = Hypercore::builder(Storage::memory())
                .secret_key(KeyPair::from_seed([1; 32]).secret().clone())
                .dialect(dialect)
                .open()
                .await
                .unwrap();
            for batch in batches {
                feed.append_batch(batch).await.unwrap();
            }
            signatures.push(feed.signature(1).unwrap());
        }
        assert_eq!(signatures[0], signatures[1]);
        assert_ne!(signatures[0].signature, signatures[2].signature);
    });
}
