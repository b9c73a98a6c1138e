//! Opening a feed, or creating one: a stepper that says what to read or to write next and is given the answers.
//!
//! ```text
//! key -> other small files -> bitfield, in pieces -> signature and roots -> (recovery) -> (headers, keys) -> feed
//! ```
//!
//! A feed that is intact and was closed is opened without a write. One that a crash has left, or a bad disk, is brought back to
//! the longest length that is proved (`recover.rs`), or refused, and never replaced by a new one.

use alloc::{boxed::Box, vec, vec::Vec};

use bitfield::{BLOCKS_PER_PAGE, Bitfield, PageSize};
use bytes::Bytes;
use crypto::{KeyPair, PublicKey, SecretKey, Verified};
use flat_tree::full_roots;
use merkle::{Roots, blocks};
use storage::{Batch, File, Read};

use crate::{
    Damage, Error, Feed, Kind, OpenOptions,
    behind::Behind,
    create::{creation, write_header, write_secret},
    feed::static_key,
    header::{HEADER, Header},
    hints::Hints,
    layout::{NodeReads, SIGNATURE, signature_offset},
    loading::Loading,
    notes::Notes,
    places::Places,
    prove::parse_signature,
    recover::{Claim, Recovering, Terms, index_print},
};

/// How many pages of the bitfield are read at a time: 112 KiB, for which no memory has to be asked of the system again.
const PAGES: usize = 32;

/// So many entries behind the signature of the length are looked at along with it: where there is none, nothing lies beyond.
const BEYOND: usize = 64;

/// What a page looks like that was never touched: a hole in the file.
static UNTOUCHED: [u8; PageSize::Current.bytes()] = [0; PageSize::Current.bytes()];

/// A feed that is being opened.
#[derive(Debug)]
#[must_use]
pub struct Opening {
    options: OpenOptions,
    key: Option<PublicKey>,
    pair: Option<KeyPair>,
    stage: Stage,
}

/// What is to be done next.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Read these pieces and give them to [`Opening::step`]; a piece beyond the end of its file is short or empty.
    Read {
        /// What goes on with the answers.
        opening: Opening,
        /// What to read.
        reads: Vec<Read>,
    },
    /// Write this, then call [`Opening::step`] without answers.
    Commit {
        /// What goes on afterwards.
        opening: Opening,
        /// What to write.
        batch: Batch,
    },
    /// The feed is open.
    Done(Box<Feed>),
}

#[derive(Debug)]
enum Stage {
    Start,
    Key,
    Files,
    Pages(Loading),
    Roots(Loading, NodeReads),
    Recovering(Box<Recovering>, Batch),
    Written(Box<Feed>),
}

impl Opening {
    /// Begins. The first step takes no answers.
    pub fn new(options: OpenOptions) -> Self {
        Opening {
            options,
            key: None,
            pair: None,
            stage: Stage::Start,
        }
    }

    /// The public key, as soon as it is known, for storage that depends on it. A static feed that isn't finalized has none.
    pub fn key(&self) -> Option<PublicKey> {
        self.key
    }

    /// Takes the answers to the last step and says what is next.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::KeyMismatch`], [`Error::KeyPairMismatch`], [`Error::KeyFileMissing`],
    /// [`Error::Corrupt`], [`Error::BeyondLimit`], [`Error::NotWritable`], [`Error::ReadOnly`]. Nothing was written then.
    pub fn step(mut self, replies: Vec<Bytes>) -> Result<Step, Error> {
        match core::mem::replace(&mut self.stage, Stage::Start) {
            Stage::Start => Ok(self.read(
                Stage::Key,
                vec![Read {
                    file: File::Key,
                    offset: 0,
                    len: PublicKey::LEN,
                }],
            )),
            Stage::Key => self.found_key(first(&replies)),
            Stage::Files => self.found_files(&replies),
            Stage::Pages(loading) => self.found_pages(loading, first(&replies)),
            Stage::Roots(loading, nodes) => self.found_roots(loading, &nodes, &replies),
            Stage::Recovering(mut recovering, repairs) => {
                recovering.take(&replies);
                self.recover(recovering, repairs)
            }
            Stage::Written(feed) => Ok(Step::Done(feed)),
        }
    }

    fn read(mut self, stage: Stage, reads: Vec<Read>) -> Step {
        self.stage = stage;
        Step::Read {
            opening: self,
            reads,
        }
    }

    fn found_key(mut self, stored: &[u8]) -> Result<Step, Error> {
        self.pair = self.options.secret_key.clone().map(KeyPair::from_secret);
        if let (Some(pair), Some(given)) = (&self.pair, self.options.key)
            && pair.public() != given
        {
            return Err(Error::KeyPairMismatch);
        }
        let (given, read_only) = (self.given(), self.options.read_only);
        let mut overwrite = self.options.overwrite;
        if overwrite && read_only {
            return Err(Error::ReadOnly);
        }
        if !overwrite && !is_blank(stored) {
            let stored = parse_key(stored)?;
            match given.filter(|given| *given != stored) {
                None => {
                    self.key = Some(stored);
                    return Ok(self.probe());
                }
                Some(_) if self.options.force && !read_only => overwrite = true,
                Some(given) => return Err(Error::KeyMismatch { stored, given }),
            }
        }
        // A static feed that is being written has no key, so only its other files tell whether there is one.
        let unfinished = given.is_none() && !self.options.live;
        if !(self.may_create() || unfinished && !overwrite) {
            return Err(Error::NotFound);
        }
        self.key = given;
        if given.is_none() && !unfinished {
            let pair = KeyPair::from_seed(self.options.seed);
            self.key = Some(self.pair.insert(pair).public());
        }
        match overwrite {
            true => self.create(true),
            false => Ok(self.probe()),
        }
    }

    fn may_create(&self) -> bool {
        self.options.create && !self.options.read_only
    }

    /// The key that was asked for, if any.
    fn given(&self) -> Option<PublicKey> {
        let secret = self.options.secret_key.clone().map(KeyPair::from_secret);
        self.options.key.or(secret.map(|pair| pair.public()))
    }

    /// The small files, and what tells whether there is data.
    fn probe(self) -> Step {
        let read = |file, offset, len| Read { file, offset, len };
        let mut reads = vec![
            read(File::Key, 0, PublicKey::LEN),
            read(File::Tree, 0, HEADER as usize + 1),
            read(File::Data, 0, 1),
            read(File::Bitfield, 0, HEADER as usize + 1),
            read(File::Signatures, 0, HEADER as usize + 1),
        ];
        // Who only reads may not be allowed to read that.
        if !self.options.read_only {
            reads.push(read(File::SecretKey, 0, SecretKey::LEN));
        }
        self.read(Stage::Files, reads)
    }

    fn found_files(mut self, replies: &[Bytes]) -> Result<Step, Error> {
        let [key, tree, data, bitfield, signatures, secret @ ..] = replies else {
            return Err(Error::corrupt(File::Key, Damage::Short));
        };
        // A creation that broke off may have left room for keys, and nothing in it.
        let secret = Some(first(secret)).filter(|secret| !(is_blank(key) && is_blank(secret)));
        let secret = secret.unwrap_or_default();
        if is_blank(key) {
            let holds = |file: &Bytes| file.len() > HEADER as usize;
            let signed = holds(signatures) || !secret.is_empty();
            let anything = [tree, bitfield, signatures].into_iter().any(holds) || !data.is_empty();
            match (self.key, anything) {
                (Some(_), false) => return self.create_beside(secret),
                // Of a static feed that is being written there is no key to be lost.
                (None, _) if signed => return Err(Error::KeyFileMissing),
                (None, false) if self.may_create() => return self.create(false),
                (None, false) => return Err(Error::NotFound),
                (Some(_), true) => return Err(Error::KeyFileMissing),
                (None, true) => {}
            }
        } else {
            // Since the first look another handle may have put another feed in its place. Now the lock is held.
            let stored = parse_key(key)?;
            if let Some(given) = self.key.filter(|given| *given != stored) {
                return Err(Error::KeyMismatch { stored, given });
            }
            self.key = Some(stored);
        }
        let mut repairs = Batch::new();
        self.take_secret(secret, &mut repairs)?;
        let (page_size, notes) = match <&[u8; 32]>::try_from(head(bitfield)) {
            Ok(header) => {
                let known = Header::page_size(header);
                // Pages of no known size are taken for ones of ours whose bits all have to be made anew.
                self.options.rebuild |= known.is_none();
                let size = known.unwrap_or(PageSize::Current);
                (size, Notes::parse(header))
            }
            Err(_) => (PageSize::Current, Notes::default()),
        };
        for (file, bytes, header) in [
            (File::Tree, tree, Header::Tree),
            (File::Signatures, signatures, Header::Signatures),
        ] {
            if head(bytes) != header.to_bytes() {
                write_header(&mut repairs, file, header);
            }
        }
        let loading = Loading {
            bitfield: Bitfield::new(page_size),
            next: 0,
            notes,
            header: head(bitfield) != Header::Bitfield(page_size).to_bytes(),
            prints: Vec::new(),
            repairs,
        };
        Ok(self.read_pages(loading))
    }

    /// Creates a feed where there is none, except perhaps a secret key: of a creation that broke off, or of a feed that has
    /// lost all else. It is the only thing that can't be had again, so it is used, never overwritten.
    fn create_beside(mut self, secret: &[u8]) -> Result<Step, Error> {
        if !secret.is_empty() {
            let pair = parse_secret(secret)?;
            let stored = pair.public();
            if let Some(given) = self.given().filter(|given| *given != stored) {
                return Err(Error::KeyMismatch { stored, given });
            }
            self.key = Some(stored);
            self.pair = Some(pair);
        }
        self.create(false)
    }

    /// The secret key: a given one must fit, a stored one too.
    fn take_secret(&mut self, stored: &[u8], repairs: &mut Batch) -> Result<(), Error> {
        if !stored.is_empty() {
            let pair = parse_secret(stored)?;
            if Some(pair.public()) != self.key {
                return Err(Error::corrupt(File::SecretKey, Damage::WrongKey));
            }
            self.pair = Some(pair);
        } else if let Some(pair) = &self.pair
            && self.options.store_secret_key
        {
            write_secret(repairs, pair);
        }
        Ok(())
    }

    fn read_pages(self, loading: Loading) -> Step {
        let page = loading.bitfield.page_size().bytes();
        let read = Read {
            file: File::Bitfield,
            offset: HEADER + loading.next * page as u64,
            len: PAGES * page,
        };
        self.read(Stage::Pages(loading), vec![read])
    }

    fn found_pages(self, mut loading: Loading, bytes: &[u8]) -> Result<Step, Error> {
        let page = loading.bitfield.page_size().bytes();
        let max = self.options.max_length;
        let end = max.div_ceil(BLOCKS_PER_PAGE);
        for piece in bytes.chunks(page) {
            if !UNTOUCHED.starts_with(piece) {
                // A bit far out is cheap to write and costly to keep.
                if loading.next >= end {
                    return Err(Error::BeyondLimit { max });
                }
                loading.bitfield.load_page(loading.next, piece);
                let index = piece.get(loading.bitfield.page_size().index_start()..);
                let print = index_print(index.unwrap_or_default());
                loading.prints.push((loading.next, print));
            }
            loading.next += 1;
        }
        if bytes.len() == PAGES * page && loading.next <= end {
            return Ok(self.read_pages(loading));
        }
        let length = blocks(&loading.bitfield);
        if length > max {
            return Err(Error::BeyondLimit { max });
        }
        let nodes = NodeReads::new(full_roots(length), &Roots::new());
        let mut reads = nodes.reads().to_vec();
        reads.push(Read {
            file: File::Signatures,
            offset: signature_offset(length),
            len: entries(length),
        });
        Ok(self.read(Stage::Roots(loading, nodes), reads))
    }

    fn found_roots(
        self,
        loading: Loading,
        nodes: &NodeReads,
        replies: &[Bytes],
    ) -> Result<Step, Error> {
        let length = blocks(&loading.bitfield);
        let roots = nodes.parse(replies).and_then(|nodes| nodes.roots(length));
        let signatures = replies.last().map(|bytes| &bytes[..]).unwrap_or_default();
        let own = signatures
            .len()
            .min(entries(length) - BEYOND * SIGNATURE as usize);
        let (own, beyond) = signatures.split_at(own);
        let Some(key) = self.key else {
            let feed = self.feed(Kind::Unfinished, roots?, loading.bitfield.clone());
            return self.finish(feed, loading.repaired());
        };
        let proved = roots.clone().and_then(|roots| {
            let kind = match length {
                0 if key == static_key(&roots) => Kind::Static,
                0 => Kind::Live,
                _ => vouched_for(&key, &roots, own)?,
            };
            Ok((roots, kind))
        });
        let (mut suspects, pages, tail) = loading.suspects(length, self.pair.is_some());
        if self.options.rebuild && length > 0 {
            suspects.insert(0..length);
        }
        let nothing_beyond =
            beyond.iter().all(|byte| *byte == 0) && signatures.len() < entries(length);
        match proved {
            Ok((roots, kind))
                if kind == Kind::Static
                    || nothing_beyond
                        && suspects.is_empty()
                        && tail.is_empty()
                        && loading.notes.clearing.is_none() =>
            {
                let bitfield = without_blocks_from(length, loading.bitfield.clone());
                let feed = self.feed(kind, roots, bitfield);
                self.finish(feed, loading.repaired())
            }
            proved => {
                // Either way the roots may be right: what they follow from will tell.
                let unsigned = [Damage::MissingSignature, Damage::WrongSignature]
                    .map(|what| Err(Error::corrupt(File::Signatures, what)))
                    .contains(&proved);
                let terms = Terms {
                    key,
                    pair: self.pair.clone(),
                    dialect: self.options.dialect,
                    external: self.options.external_data,
                    accept_loss: self.options.accept_loss,
                };
                let repairs = loading.header_behind();
                let claim = Claim {
                    bitfield: loading.bitfield,
                    length,
                    proved,
                    unsigned: roots.ok().filter(|_| unsigned),
                    notes: loading.notes,
                    suspects,
                    pages,
                    tail,
                };
                let recovering = Box::new(Recovering::new(terms, claim));
                let mut batch = loading.repairs;
                batch.extend(repairs);
                self.recover(recovering, batch)
            }
        }
    }

    /// The next step of a recovery, or the feed that it has come to.
    fn recover(self, mut recovering: Box<Recovering>, repairs: Batch) -> Result<Step, Error> {
        if let Some(reads) = recovering.next()? {
            return Ok(self.read(Stage::Recovering(recovering, repairs), reads));
        }
        let recovered = recovering.finish();
        if recovered.roots.length() > self.options.max_length {
            let max = self.options.max_length;
            return Err(Error::BeyondLimit { max });
        }
        let mut feed = self.feed(recovered.kind, recovered.roots, recovered.bitfield);
        let mut batch = Batch::new();
        if !recovered.report.is_nothing() {
            feed.recovery = Some(Box::new(recovered.report));
            batch.extend(recovered.batch);
        }
        // The notes in the header hold until everything else is done.
        batch.extend(repairs);
        self.finish(feed, batch)
    }

    fn feed(&self, kind: Kind, roots: Roots, bitfield: Bitfield) -> Box<Feed> {
        let options = &self.options;
        Box::new(Feed {
            key: self.key.unwrap_or_else(|| static_key(&roots)),
            pair: self.pair.clone().filter(|_| !options.read_only),
            dialect: options.dialect,
            kind,
            roots,
            bitfield,
            hints: Hints::default(),
            places: Places::default(),
            forks: Vec::new(),
            max_length: options.max_length,
            fork_policy: options.fork_policy,
            external: options.external_data,
            read_only: options.read_only,
            ordered: options.ordered && !options.read_only,
            notes: Notes::default(),
            recovery: None,
            behind: Behind::default(),
        })
    }

    /// A new feed.
    fn create(self, overwrite: bool) -> Result<Step, Error> {
        let secret = self.pair.as_ref().filter(|_| self.options.store_secret_key);
        let batch = creation(self.key.as_ref(), secret, overwrite);
        let kind = match self.key {
            Some(_) => Kind::Live,
            None => Kind::Unfinished,
        };
        let feed = self.feed(kind, Roots::new(), Bitfield::default());
        self.finish(feed, batch)
    }

    fn finish(mut self, feed: Box<Feed>, batch: Batch) -> Result<Step, Error> {
        if self.options.writable && !feed.is_writable() {
            return Err(Error::NotWritable);
        }
        if batch.is_empty() || feed.is_read_only() {
            return Ok(Step::Done(feed));
        }
        self.stage = Stage::Written(feed);
        Ok(Step::Commit {
            opening: self,
            batch,
        })
    }
}

/// How many bytes of the signatures are read along with the roots: that of the length, if it has one, and those beyond.
fn entries(length: u64) -> usize {
    (BEYOND + usize::from(length > 0)) * SIGNATURE as usize
}

/// Whether the roots are signed; a static feed has its tree hash for a key instead.
fn vouched_for(key: &PublicKey, roots: &Roots, signature: &[u8]) -> Result<Kind, Error> {
    let signable = roots.signable();
    match parse_signature(signature) {
        Ok(signature) => match key.verify(&signable, &signature) {
            Ok(_) => Ok(Kind::Live),
            Err(_) => Err(Error::corrupt(File::Signatures, Damage::WrongSignature)),
        },
        Err(missing) => match Verified::matching_key(key, &signable) {
            Ok(_) => Ok(Kind::Static),
            Err(_) => Err(missing),
        },
    }
}

/// Forgets blocks beyond the length, whose bits JavaScript leaves behind when it truncates: no peer may be told of them.
fn without_blocks_from(length: u64, mut bitfield: Bitfield) -> Bitfield {
    let mut draft = bitfield.draft();
    draft.set_blocks(length..u64::MAX, false);
    let changes = draft.finish();
    bitfield.apply(changes);
    bitfield
}

fn parse_key(bytes: &[u8]) -> Result<PublicKey, Error> {
    PublicKey::try_from(bytes).map_err(|_| Error::corrupt(File::Key, Damage::Short))
}

fn parse_secret(bytes: &[u8]) -> Result<KeyPair, Error> {
    let bytes = bytes
        .try_into()
        .map_err(|_| Error::corrupt(File::SecretKey, Damage::Short))?;
    let secret = SecretKey::from_bytes(bytes)
        .map_err(|_| Error::corrupt(File::SecretKey, Damage::WrongKey))?;
    Ok(KeyPair::from_secret(secret))
}

fn first(replies: &[Bytes]) -> &[u8] {
    replies.first().map(|bytes| &bytes[..]).unwrap_or_default()
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn head(file: &Bytes) -> &[u8] {
    file.get(..HEADER as usize).unwrap_or_default()
}
