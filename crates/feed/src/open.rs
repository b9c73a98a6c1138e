//! Opening a feed, or creating one: a stepper that says what to read or to write next and is given the answers.
//!
//! ```text
//! key -> other small files -> bitfield, in pieces -> signature and roots -> (headers, keys) -> feed
//! ```
//!
//! A feed that is intact is opened without a write. One that is damaged is refused, and never replaced by a new one.

use alloc::{boxed::Box, vec, vec::Vec};

use bitfield::{Bitfield, PageSize};
use bytes::Bytes;
use crypto::{Dialect, KeyPair, PublicKey, SecretKey, Verified};
use flat_tree::full_roots;
use merkle::{Roots, blocks};
use storage::{Batch, File, Read};

use crate::{
    Damage, Error, Feed,
    header::{HEADER, Header},
    layout::{NodeReads, signature_read},
    prove::parse_signature,
};

/// The longest feed that is accepted unless told otherwise.
pub const MAX_LENGTH: u64 = 1 << 32;

/// How many pages of the bitfield are read at a time.
const PAGES: usize = 128;

/// What is to be opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The feed's public key, if it is known.
    pub key: Option<PublicKey>,
    /// The feed's secret key, which makes it writable.
    pub secret_key: Option<SecretKey>,
    /// Whether to make a feed where none is stored.
    pub create: bool,
    /// Whether to forget what is stored.
    pub overwrite: bool,
    /// Whether to write the secret key of a new feed.
    pub store_secret_key: bool,
    /// The form of new signatures.
    pub dialect: Dialect,
    /// The longest length that is accepted from peers, in blocks.
    pub max_length: u64,
    /// 32 random bytes, used only if a new key pair has to be made.
    pub seed: [u8; 32],
}

impl Default for OpenOptions {
    /// Opens or creates, in dialect 8. The seed is zeros: set it.
    fn default() -> Self {
        OpenOptions {
            key: None,
            secret_key: None,
            create: true,
            overwrite: false,
            store_secret_key: true,
            dialect: Dialect::V8,
            max_length: MAX_LENGTH,
            seed: [0; 32],
        }
    }
}

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
    Written(Box<Feed>),
}

/// What is known so far of a feed that is stored.
#[derive(Debug)]
struct Loading {
    bitfield: Bitfield,
    /// The next page to read.
    next: u64,
    /// What has to be written so that others can read the feed: headers, keys.
    repairs: Batch,
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

    /// The public key, as soon as it is known, for storage that depends on it.
    pub fn key(&self) -> Option<PublicKey> {
        self.key
    }

    /// Takes the answers to the last step and says what is next.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::KeyMismatch`], [`Error::KeyPairMismatch`], [`Error::KeyFileMissing`],
    /// [`Error::Corrupt`]. Nothing was written then.
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
        let given = self.options.key.or(self.pair.as_ref().map(KeyPair::public));
        if !self.options.overwrite && !stored.is_empty() {
            let stored = PublicKey::try_from(stored)
                .map_err(|_| Error::corrupt(File::Key, Damage::Short))?;
            if let Some(given) = given.filter(|given| *given != stored) {
                return Err(Error::KeyMismatch { stored, given });
            }
            self.key = Some(stored);
        } else {
            if !self.options.create {
                return Err(Error::NotFound);
            }
            let key = given.unwrap_or_else(|| {
                let pair = KeyPair::from_seed(self.options.seed);
                self.pair.insert(pair).public()
            });
            self.key = Some(key);
            if self.options.overwrite {
                return Ok(self.create(key, true));
            }
        }
        Ok(self.probe())
    }

    /// The small files, and what tells whether there is data.
    fn probe(self) -> Step {
        let read = |file, offset, len| Read { file, offset, len };
        self.read(
            Stage::Files,
            vec![
                read(File::Key, 0, PublicKey::LEN),
                read(File::SecretKey, 0, SecretKey::LEN),
                read(File::Tree, 0, HEADER as usize + 1),
                read(File::Data, 0, 1),
                read(File::Bitfield, 0, HEADER as usize + 1),
                read(File::Signatures, 0, HEADER as usize),
            ],
        )
    }

    fn found_files(mut self, replies: &[Bytes]) -> Result<Step, Error> {
        let [key, secret, tree, data, bitfield, signatures] = replies else {
            return Err(Error::corrupt(File::Key, Damage::Short));
        };
        if key.is_empty() {
            let holds = |file: &Bytes| file.len() > HEADER as usize;
            if holds(tree) || holds(bitfield) || !data.is_empty() {
                return Err(Error::KeyFileMissing);
            }
            return match self.key {
                Some(key) => Ok(self.create(key, false)),
                None => Err(Error::NotFound),
            };
        }
        let mut repairs = Batch::new();
        self.take_secret(secret, &mut repairs)?;
        let page_size = match <&[u8; 32]>::try_from(head(bitfield)) {
            Ok(header) => {
                Header::page_size(header).ok_or(Error::corrupt(File::Bitfield, Damage::Header))?
            }
            Err(_) => PageSize::Current,
        };
        for (file, bytes, header) in [
            (File::Tree, tree, Header::Tree),
            (File::Signatures, signatures, Header::Signatures),
            (File::Bitfield, bitfield, Header::Bitfield(page_size)),
        ] {
            if head(bytes) != header.to_bytes() {
                write_header(&mut repairs, file, header);
            }
        }
        let loading = Loading {
            bitfield: Bitfield::new(page_size),
            next: 0,
            repairs,
        };
        Ok(self.read_pages(loading))
    }

    /// The secret key: a given one must fit, a stored one too.
    fn take_secret(&mut self, stored: &[u8], repairs: &mut Batch) -> Result<(), Error> {
        let key = self.key;
        if !stored.is_empty() {
            let bytes = stored
                .try_into()
                .map_err(|_| Error::corrupt(File::SecretKey, Damage::Short))?;
            let secret = SecretKey::from_bytes(bytes)
                .map_err(|_| Error::corrupt(File::SecretKey, Damage::WrongKey))?;
            let pair = KeyPair::from_secret(secret);
            if Some(pair.public()) != key {
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
        for piece in bytes.chunks(page) {
            // A page that was never touched is a hole in the file.
            if piece.iter().any(|byte| *byte != 0) {
                loading.bitfield.load_page(loading.next, piece);
            }
            loading.next += 1;
        }
        if bytes.len() == PAGES * page {
            return Ok(self.read_pages(loading));
        }
        let length = blocks(&loading.bitfield);
        let nodes = NodeReads::new(full_roots(length), &Roots::new());
        let mut reads = nodes.reads().to_vec();
        if length > 0 {
            reads.push(signature_read(length));
        }
        Ok(self.read(Stage::Roots(loading, nodes), reads))
    }

    fn found_roots(
        self,
        loading: Loading,
        nodes: &NodeReads,
        replies: &[Bytes],
    ) -> Result<Step, Error> {
        let Some(key) = self.key else {
            return Err(Error::NotFound);
        };
        let length = blocks(&loading.bitfield);
        let nodes = nodes.parse(replies)?;
        let roots = full_roots(length)
            .map(|index| nodes.must_get(index).copied())
            .collect::<Result<_, _>>()?;
        let roots = Roots::from_nodes(length, roots)
            .map_err(|_| Error::corrupt(File::Tree, Damage::MissingNode))?;
        let live = length == 0 || self.vouched_for(&key, &roots, replies.last())?;
        let feed = Box::new(Feed {
            key,
            pair: self.pair.clone(),
            dialect: self.options.dialect,
            live,
            roots,
            bitfield: loading.bitfield,
            max_length: self.options.max_length,
        });
        Ok(self.finish(feed, loading.repairs))
    }

    /// Whether the roots are signed; a static feed has its tree hash for a key instead.
    fn vouched_for(
        &self,
        key: &PublicKey,
        roots: &Roots,
        signature: Option<&Bytes>,
    ) -> Result<bool, Error> {
        let signable = roots.signable();
        let bytes = signature.map(|bytes| &bytes[..]).unwrap_or_default();
        match parse_signature(bytes) {
            Ok(signature) => match key.verify(&signable, &signature) {
                Ok(_) => Ok(true),
                Err(_) => Err(Error::corrupt(File::Signatures, Damage::WrongSignature)),
            },
            Err(missing) => match Verified::matching_key(key, &signable) {
                Ok(_) => Ok(false),
                Err(_) => Err(missing),
            },
        }
    }

    /// A new feed. It exists when its key is there, so that comes last.
    fn create(self, key: PublicKey, overwrite: bool) -> Step {
        let mut batch = Batch::new();
        if overwrite {
            // Without its bitfield the old feed is empty; only then may the rest go.
            for file in [File::Bitfield, File::Key, File::SecretKey] {
                batch.truncate(file, 0);
            }
            batch.barrier();
            for file in [File::Signatures, File::Tree, File::Data] {
                batch.truncate(file, 0);
            }
            batch.barrier();
        }
        if let Some(pair) = &self.pair
            && self.options.store_secret_key
        {
            write_secret(&mut batch, pair);
        }
        write_header(&mut batch, File::Tree, Header::Tree);
        write_header(&mut batch, File::Signatures, Header::Signatures);
        write_header(
            &mut batch,
            File::Bitfield,
            Header::Bitfield(PageSize::Current),
        );
        batch.barrier();
        batch.write(File::Key, 0, Bytes::copy_from_slice(key.as_bytes()));
        batch.barrier();
        let feed = Box::new(Feed {
            key,
            pair: self.pair.clone(),
            dialect: self.options.dialect,
            live: true,
            roots: Roots::new(),
            bitfield: Bitfield::default(),
            max_length: self.options.max_length,
        });
        self.finish(feed, batch)
    }

    fn finish(mut self, feed: Box<Feed>, batch: Batch) -> Step {
        if batch.is_empty() {
            return Step::Done(feed);
        }
        self.stage = Stage::Written(feed);
        Step::Commit {
            opening: self,
            batch,
        }
    }
}

fn first(replies: &[Bytes]) -> &[u8] {
    replies.first().map(|bytes| &bytes[..]).unwrap_or_default()
}

fn head(file: &Bytes) -> &[u8] {
    file.get(..HEADER as usize).unwrap_or_default()
}

fn write_header(batch: &mut Batch, file: File, header: Header) {
    batch.write(file, 0, Bytes::copy_from_slice(&header.to_bytes()));
}

fn write_secret(batch: &mut Batch, pair: &KeyPair) {
    let bytes = pair.secret().to_bytes();
    batch.write(File::SecretKey, 0, Bytes::copy_from_slice(&bytes[..]));
}
