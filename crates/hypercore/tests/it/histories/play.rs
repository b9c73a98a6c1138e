//! Plays a history: every step on two feeds and on their models, which must agree after each.

use std::{fmt, ops::Range, thread};

use bytes::Bytes;
use futures_lite::{AsyncReadExt, StreamExt};
use hypercore::{CacheConfig, Dialect, Error, Hypercore, KeyPair, Storage};
use testkit::Rng;

use super::{
    model::{Held, Log},
    step::{Leaving, Lengths, Step, Who},
};

/// The forms of the signatures in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    V8,
    V9,
    /// Another one each time the feed is opened.
    Both,
}

/// The author's feed and a copy that gets some of its blocks, in the place that is asked for by their names.
struct World<'a> {
    rng: Rng,
    place: &'a dyn Fn(&str) -> Storage,
    form: Form,
    pair: KeyPair,
    log: Log,
    writer: Peer,
    copy: Peer,
}

struct Peer {
    feed: Hypercore,
    held: Held,
}

/// What was done so far, for whoever has to find out why it failed.
struct Trace {
    seed: u64,
    steps: Vec<Step>,
}

/// Plays the history of a seed on feeds that are kept where `place` says, by the names `writer` and `copy`, and closes them.
///
/// # Panics
/// If a feed isn't what its model is. What led there is printed.
pub(crate) async fn play(seed: u64, form: Form, place: &dyn Fn(&str) -> Storage) {
    let mut trace = Trace {
        seed,
        steps: Vec::new(),
    };
    let mut rng = Rng::new(seed);
    let (long, steps) = (rng.one_in(5), 10 + rng.below(70));
    let mut world = World::create(rng, form, place).await;
    for _ in 0..steps {
        let now = world.lengths();
        let step = Step::draw(&mut world.rng, now, long);
        trace.steps.push(step.clone());
        world.take(step).await;
        for who in [Who::Writer, Who::Copy] {
            world.check(who).await;
        }
    }
    for who in [Who::Writer, Who::Copy] {
        world.audit(who, true).await;
        world.reopen(who, Leaving::Close, false).await;
        world.read(who, 0..u64::MAX).await;
        world.peer(who).feed.close().await.unwrap();
    }
}

impl<'a> World<'a> {
    async fn create(mut rng: Rng, form: Form, place: &'a dyn Fn(&str) -> Storage) -> Self {
        let pair = KeyPair::from_seed(rng.array());
        let writer = Hypercore::builder(place("writer"))
            .secret_key(pair.secret().clone())
            .dialect(form.draw(&mut rng));
        let copy = Hypercore::builder(place("copy")).key(pair.public());
        World {
            form,
            place,
            log: Log::default(),
            writer: Peer::new(writer.open().await.unwrap()),
            copy: Peer::new(copy.open().await.unwrap()),
            pair,
            rng,
        }
    }

    fn peer(&self, who: Who) -> &Peer {
        match who {
            Who::Writer => &self.writer,
            Who::Copy => &self.copy,
        }
    }

    fn peer_mut(&mut self, who: Who) -> &mut Peer {
        match who {
            Who::Writer => &mut self.writer,
            Who::Copy => &mut self.copy,
        }
    }

    fn lengths(&self) -> Lengths {
        Lengths {
            writer: self.log.length(),
            copy: self.copy.held.length(),
            bytes: self.log.byte_length(self.log.length()),
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Append { max_size } => {
                let block = self.block(max_size);
                let number = self.writer.feed.append(block.clone()).await.unwrap();
                assert_eq!(number, self.log.length());
                self.appended(&[block]);
            }
            Step::Batch { count, max_size } => {
                let blocks: Vec<Bytes> = (0..count).map(|_| self.block(max_size)).collect();
                let start = self.log.length();
                let appended = self.writer.feed.append_batch(blocks.clone()).await;
                assert_eq!(appended.unwrap(), start..start + count);
                self.appended(&blocks);
            }
            Step::Clear { who, blocks } => {
                let peer = self.peer_mut(who);
                peer.feed.clear(blocks.clone()).await.unwrap();
                peer.held.clear(blocks);
            }
            Step::Read { who, blocks } => self.read(who, blocks).await,
            Step::Seek { who, byte } => self.seek(who, byte).await,
            Step::Bytes { range } => self.bytes(range).await,
            Step::Audit { who, deep } => self.audit(who, deep).await,
            Step::Trust { block } => self.trust(block),
            Step::Carry {
                from,
                block,
                hash,
                digest,
            } => self.carry(from, block, hash, digest).await,
            Step::Reopen {
                who,
                leaving,
                read_only,
            } => self.reopen(who, leaving, read_only).await,
        }
    }

    /// What must hold after every step.
    async fn check(&mut self, who: Who) {
        let length = self.peer(who).held.length();
        let (bytes, hash) = (self.log.byte_length(length), self.log.tree_hash(length));
        let some = self.rng.below(length + 2);
        let Peer { feed, held } = self.peer(who);
        assert_eq!((feed.len(), feed.byte_len()), (length, bytes), "{who:?}");
        assert_eq!(feed.tree_hash(), hash, "{who:?}");
        assert_eq!(feed.missing(..), held.missing(), "{who:?}");
        assert_eq!(feed.downloaded(..), held.blocks().count() as u64, "{who:?}");
        let run = some..some + 3;
        let all = run.clone().all(|block| held.has(block));
        assert_eq!(feed.has_range(run), all, "{who:?}");
        assert_eq!(feed.has(some), held.has(some), "{who:?}");
        self.get(who, some).await;
    }

    async fn get(&self, who: Who, block: u64) {
        let Peer { feed, held } = self.peer(who);
        let got = feed.get(block).wait(false).await;
        match held.has(block) {
            true => assert_eq!(&got.unwrap(), self.log.block(block), "{who:?} {block}"),
            false => assert!(
                matches!(got, Err(Error::NotLocal { block: b }) if b == block),
                "{who:?} {block}: {got:?}"
            ),
        }
    }

    async fn read(&self, who: Who, blocks: Range<u64>) {
        let Peer { feed, held } = self.peer(who);
        let blocks = blocks.start.min(held.length())..blocks.end.min(held.length());
        for block in blocks.clone() {
            self.get(who, block).await;
        }
        let Some(gap) = blocks.clone().find(|block| !held.has(*block)) else {
            return self.read_run(feed, blocks).await;
        };
        let range = feed.get_range(blocks.clone()).wait(false).await;
        assert!(
            matches!(range, Err(Error::NotLocal { .. })),
            "{who:?} {gap}"
        );
        self.read_run(feed, blocks.start..gap).await;
    }

    async fn read_run(&self, feed: &Hypercore, blocks: Range<u64>) {
        let expected: Vec<Bytes> = blocks
            .clone()
            .map(|block| self.log.block(block).clone())
            .collect();
        assert_eq!(feed.get_range(blocks.clone()).await.unwrap(), expected);
        let stream: Vec<Bytes> = feed.read(blocks).try_collect().await.unwrap();
        assert_eq!(stream, expected);
    }

    async fn seek(&self, who: Who, byte: u64) {
        let Peer { feed, held } = self.peer(who);
        let expected = self.log.seek(byte, held.length());
        let found = feed.seek(byte).wait(false).await;
        match (found, expected) {
            (Ok(found), expected) => assert_eq!(Some(found), expected, "{who:?}"),
            (Err(Error::ByteNotLocal { .. }), None) => {}
            // A copy knows the sizes on the way to its blocks, and may lack others.
            (Err(Error::ByteNotLocal { .. }), Some((block, _))) => {
                assert!(who == Who::Copy && !held.has(block), "{byte} in {block}");
            }
            (Err(error), _) => panic!("{who:?}: {error:?}"),
        }
    }

    /// Reads bytes from the author, as far as the blocks are there that hold them.
    async fn bytes(&self, range: Range<u64>) {
        let Peer { feed, held } = &self.writer;
        let block = |byte| self.log.seek(byte, held.length()).unwrap().0;
        let here = range.is_empty()
            || (block(range.start)..=block(range.end - 1)).all(|block| held.has(block));
        if here {
            let mut bytes = Vec::new();
            let mut reader = feed.bytes(range.clone());
            reader.read_to_end(&mut bytes).await.unwrap();
            assert!(bytes == self.log.bytes(range), "other bytes");
        }
    }

    async fn audit(&self, who: Who, deep: bool) {
        let Peer { feed, held } = self.peer(who);
        let report = match deep {
            true => feed.deep_audit().await.unwrap(),
            false => feed.audit().await.unwrap(),
        };
        assert!(report.is_clean(), "{who:?}: {report:?}");
        assert_eq!(report.valid, held.blocks().count() as u64, "{who:?}");
    }

    fn trust(&self, block: u64) {
        let feed = &self.writer.feed;
        let at = feed.signature(block).unwrap();
        assert_eq!(at.block, self.log.signed_at(block));
        assert!(feed.verify(at.block, &at.signature).unwrap());
        if let Some(before) = at.block.checked_sub(1) {
            assert!(!feed.verify(before, &at.signature).unwrap());
        }
        let roots = feed.root_hashes(block).unwrap().into_iter();
        let roots: Vec<_> = roots
            .map(|node| (node.index.get(), node.size, node.hash))
            .collect();
        assert_eq!(roots, self.log.roots(block + 1));
        let node = feed.block_info(block).unwrap();
        let node = (node.index.get(), node.size, node.hash);
        assert_eq!(node, self.log.leaf(block));

        // A copy has the signature of its own length, whatever else it has.
        let Peer { feed, held } = &self.copy;
        if let Some(last) = held.length().checked_sub(1) {
            let at = feed.signature(last).unwrap();
            assert_eq!(at.block, last);
            assert!(feed.verify(last, &at.signature).unwrap());
        }
    }

    async fn carry(&mut self, from: Who, block: u64, hash: bool, digest: bool) {
        let to = match from {
            Who::Writer => Who::Copy,
            Who::Copy => Who::Writer,
        };
        let (source, target) = (self.peer(from), self.peer(to));
        if !hash && !source.held.has(block) {
            return;
        }
        let digest = match digest {
            true => target.feed.digest(block),
            false => 0,
        };
        let proof = source.feed.proof(block).hash(hash).digest(digest).await;
        let proof = match proof {
            Err(Error::Feed(_)) if from == Who::Copy && !source.held.has(block) => return,
            proof => proof.unwrap(),
        };
        let value = (!hash).then(|| self.log.block(block).clone());
        let (target, source) = (target.feed.clone(), source.feed.clone());
        match target.put(proof.clone(), value.clone()).await {
            // That is one feed with what is known has to be shown by another hash first.
            Err(Error::Unproven { by, .. }) => {
                let known = target.len();
                let shown = source.proof(by).hash(true).digest(target.digest(by)).await;
                match shown {
                    Ok(shown) => {
                        assert_eq!(by, known.min(source.len()));
                        target.put(shown, None).await.unwrap();
                        target.put(proof, value).await.unwrap();
                    }
                    // The source can't tell, be it that it has the older feed or too few hashes.
                    Err(_) => {
                        assert_eq!(target.len(), known);
                        return;
                    }
                }
            }
            put => put.unwrap(),
        }

        let (source, target) = (self.peer(from), self.peer(to));
        let (known, more) = (target.held.length(), source.held.length());
        let length = target.feed.len();
        // Below a root that is known nobody looks at what the proof says of more blocks.
        match block >= known {
            true => assert_eq!(length, more),
            false => assert!(length == known || length == more, "{length}"),
        }
        let held = &mut self.peer_mut(to).held;
        held.grow(length, false);
        if !hash {
            held.set(block, true);
        }
    }

    async fn reopen(&mut self, who: Who, leaving: Leaving, read_only: bool) {
        if matches!(leaving, Leaving::Close) {
            self.peer(who).feed.close().await.unwrap();
        }
        // The old handle has to go first, because it holds the files.
        self.peer_mut(who).feed = Hypercore::open(Storage::memory()).await.unwrap();
        if read_only {
            let feed = self.open(who, true).await;
            assert!(!feed.is_writable());
            assert!(feed.append("more").await.is_err());
            self.peer_mut(who).feed = feed;
            self.check(who).await;
            self.peer(who).feed.close().await.unwrap();
        }
        let feed = self.open(who, false).await;
        assert_eq!(feed.is_writable(), who == Who::Writer);
        self.peer_mut(who).feed = feed;
    }

    async fn open(&mut self, who: Who, read_only: bool) -> Hypercore {
        let place = match who {
            Who::Writer => (self.place)("writer"),
            Who::Copy => (self.place)("copy"),
        };
        let cache = match self.rng.below(3) {
            0 => CacheConfig::Disabled,
            1 => CacheConfig::Entries(7),
            _ => CacheConfig::default(),
        };
        let builder = Hypercore::builder(place)
            .create_if_missing(false)
            .key(self.pair.public())
            .dialect(self.form.draw(&mut self.rng))
            .cache(cache)
            .read_only(read_only);
        builder.open().await.unwrap()
    }

    fn appended(&mut self, blocks: &[Bytes]) {
        self.log.append(blocks);
        self.writer.held.grow(self.log.length(), true);
    }

    /// A block of up to so many bytes, which is empty now and then.
    fn block(&mut self, max_size: u64) -> Bytes {
        let size = match self.rng.one_in(5) {
            true => 0,
            false => self.rng.below(max_size + 1),
        };
        self.rng.bytes(size as usize).into()
    }
}

impl Peer {
    fn new(feed: Hypercore) -> Self {
        Peer {
            feed,
            held: Held::default(),
        }
    }
}

impl Form {
    fn draw(self, rng: &mut Rng) -> Dialect {
        match self {
            Form::V8 => Dialect::V8,
            Form::V9 => Dialect::V9,
            Form::Both if rng.one_in(2) => Dialect::V8,
            Form::Both => Dialect::V9,
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{self}");
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "SEED={}, failed in the last of these steps:", self.seed)?;
        self.steps
            .iter()
            .try_for_each(|step| writeln!(f, "  {step:?}"))
    }
}
