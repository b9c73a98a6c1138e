//! A secure, distributed append-only log, compatible with JavaScript hypercore 8 and 9 on disk and on the wire.
//!
//! A *feed* is a list of blocks, a Merkle tree over them, and Ed25519 signatures over the tree's roots. Who knows its
//! public key can fetch any part of it from any peer, and needs to trust none of them.
//!
//! ```
//! use hypercore::{Hypercore, Role, Storage};
//!
//! # async_std::task::block_on(async {
//! let writer = Hypercore::open(Storage::memory()).await?;
//! writer.append_batch(["hello", "world"]).await?;
//!
//! // Any pair of byte streams will do: TCP, a pipe, WebSockets.
//! let listener = async_std::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
//! let address = listener.local_addr().unwrap();
//! let server = async_std::task::spawn({
//!     let writer = writer.clone();
//!     async move {
//!         let (socket, _) = listener.accept().await.unwrap();
//!         writer.replicate(Role::Responder, socket).await
//!     }
//! });
//!
//! let reader = Hypercore::builder(Storage::memory()).key(writer.key()).open().await?;
//! let socket = async_std::net::TcpStream::connect(address).await.unwrap();
//! reader.replicate(Role::Initiator, socket).await?;
//! server.await?;
//!
//! assert_eq!(reader.get(1).await?, "world");
//! # Ok::<_, hypercore::Error>(()) }).unwrap();
//! ```
//!
//! # Where to begin
//!
//! | you want to | look at |
//! | --- | --- |
//! | open or create a feed | [`Hypercore::open`], [`Builder`], [`Storage`] |
//! | write | [`append`](Hypercore::append), [`append_batch`](Hypercore::append_batch), [`write`](Hypercore::write), [`byte_writer`](Hypercore::byte_writer) |
//! | read | [`get`](Hypercore::get), [`read`](Hypercore::read), [`bytes`](Hypercore::bytes), [`typed`](Hypercore::typed) |
//! | exchange it with a peer | [`replicate`](Hypercore::replicate), or [`Connection`] for several feeds |
//! | fetch a part | [`Builder::sparse`], [`download`](Hypercore::download), [`update`](Hypercore::update) |
//! | prove a block to somebody | [`portable_proof`](Hypercore::portable_proof) |
//! | listen to strangers | [`Gate`], [`ConnectionLimits`] |
//! | know what happens | [`events`](Hypercore::events), [`stats`](Hypercore::stats), the features `tracing` and `metrics` |
//! | do without async | [`blocking`] |
//!
//! # What to expect
//!
//! - A handle is cheap to clone, every method takes `&self`, and a feed that you hold is open.
//! - Calls with options are awaited when these are set: `feed.get(7).timeout(time).await`. Dropping a future withdraws what it
//!   asked for, and leaves the feed whole.
//! - A call waits for a peer until it is told otherwise: by a timeout, by `if_available`, by `wait(false)`, or by closing the feed.
//! - A connection is a future that you drive. What runs in the background is at most a sync that is due ([`Durability`]).
//! - What an event tells of is stored. What an acknowledged append survives is up to [`Durability`].
//! - [`Error`] groups by who must act; [`Error::is_retryable`] tells what is worth another try.
//!
//! # What it is not
//!
//! - It doesn't find peers: `replicate` takes any `AsyncRead + AsyncWrite` of `futures-io`.
//! - One feed has one writer. Two that append with one key split it for good, which copies notice ([`Hypercore::forks`]).
//! - Blocks aren't encrypted at rest, and never change. Clearing one frees its space here only.
//! - Hypercore 10 and later are another format and another protocol.
//!
//! # Features
//!
//! All of them only add. On by default: `async-std` (timers and blocking calls; without it, name your own [`Runtime`]),
//! [`blocking`], and `json` (values through serde). Off by default: `tracing` and `metrics`.
//!
//! All decisions are made in the crates below this one, which do no I/O; this one carries bytes between them, the files
//! and the sockets. See `docs/architecture.md`, and `docs/guides.md` for what to do with feeds.

#![forbid(unsafe_code)]

mod admission;
mod ahead;
mod append;
mod attached;
mod behind;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(all(test, feature = "async-std", feature = "json"))]
mod bounds;
mod broadcast;
mod builder;
mod cache;
mod connection;
mod connection_events;
mod connection_extension;
mod core;
mod discovery;
mod download;
mod driver;
mod durability;
mod encoding;
mod error;
mod events;
mod extension;
mod gate;
mod get;
mod get_range;
#[cfg(doctest)]
mod guides;
mod handle;
mod head;
mod hooks;
mod hypercore;
mod input;
mod limits;
mod mailbox;
mod member;
mod mend;
mod observe;
mod outlet;
mod patience;
mod peers;
mod questions;
mod read;
mod ready;
mod roster;
mod runtime;
mod seek;
mod serve;
mod session;
mod shared;
mod slot;
mod space;
mod state;
mod stats;
mod storage;
mod store;
mod stream;
mod trust;
mod turn;
mod update;
mod view;
mod wish;
mod write;

pub use ::storage::{
    Directory, Error as StorageError, File, MemoryFiles, OpenContext, Provider, RandomAccess,
};
pub use crypto::{Dialect, DiscoveryKey, Hash, KeyPair, PublicKey, SecretKey, Signable, Signature};
pub use feed::{AuditReport, Damage, Error as FeedError, Finding, ForkPolicy, PutError, Recovery};
pub use flat_tree::Index;
pub use merkle::{Branch, Fork, ForkError, Node, PortableError, PortableProof, Proof, ProofError};
pub use noise::{DialectChoice, KeyPair as NoiseKeyPair, Role};
pub use protocol::{Error as ProtocolError, Security};
pub use replicate::{Error as ReplicationError, Limits as PeerLimits, PeerId};
pub use wire::Limits as MessageLimits;

#[cfg(feature = "json")]
pub use crate::encoding::Json;
#[cfg(feature = "async-std")]
pub use crate::runtime::AsyncStd;
#[cfg(feature = "blocking")]
pub use crate::runtime::Threads;
pub use crate::{
    builder::Builder,
    cache::CacheConfig,
    connection::{Connection, FeedOptions},
    connection_events::{ConnectionEvent, ConnectionEvents},
    connection_extension::{ConnectionExtension, ConnectionMessages},
    discovery::FindingPeers,
    download::{Download, DownloadRequest, Progress},
    durability::Durability,
    encoding::{Base64, Binary, BoxError, Encode, Encoding, Hex, Utf8},
    error::{Error, PeerError, Result, SharedError},
    events::{Event, Events},
    extension::{Extension, Messages},
    gate::{Gate, GateLimits, Occupancy, Pass, TurnedAway},
    get::Get,
    get_range::GetRange,
    handle::{ConnectionHandle, Hold, Remote, Transport},
    head::Head,
    hooks::{Signer, Source, Verifier},
    hypercore::Hypercore,
    limits::ConnectionLimits,
    peers::{Peer, PeerInfo},
    runtime::{BoxFuture, Runtime, generate_noise_key_pair},
    seek::{ByteReader, Seek},
    session::{Replicate, Session},
    stats::{Counters, Stats},
    storage::Storage,
    stream::ReadStream,
    trust::{CreateProof, SignatureAt},
    update::Update,
    write::{ByteWriter, WriteSink},
};
