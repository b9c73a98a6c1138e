//! What whoever runs a program sees of its feeds: spans and events of `tracing`, numbers of `metrics`.
//!
//! ```text
//! feature    here                    without it
//! tracing    observe/spans.rs        nothing is called, nothing is stored
//! metrics    observe/meters.rs       the same
//! ```
//!
//! A feed appears by the first eight digits of its discovery key, a peer by its number, a block by its number and size. Keys,
//! secrets, and what blocks and messages hold never appear.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(feature = "tracing")]
mod spans;

use std::{future::Future, sync::Arc};

use noise::Role;
use replicate::PeerId;
use wire::Message;

use crate::{
    ConnectionEvent, Error, Event, Remote, Result, Session, core::Core, patience::Missing,
};

/// What a feed needs to be seen.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    label: std::sync::OnceLock<Box<str>>,
    #[cfg(feature = "metrics")]
    meters: std::sync::OnceLock<meters::Meters>,
}

/// What a feed on a connection needs to be seen.
pub(crate) struct Channel {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "metrics")]
    asked: meters::Asked,
}

impl Observer {
    /// The name of the feed for whoever looks on. A static feed has none before it is finalized.
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    fn label(&self, core: &Core) -> &str {
        const DIGITS: usize = 8;
        if self.label.get().is_none() && core.check_finalized().is_err() {
            return "unfinished";
        }
        self.label.get_or_init(|| {
            let name = core.discovery_key().to_string();
            name.get(..DIGITS).unwrap_or_default().into()
        })
    }

    /// The feed has been opened.
    pub(crate) fn opened(&self, _core: &Core) {
        #[cfg(feature = "tracing")]
        spans::opened(self.label(_core), _core);
        #[cfg(feature = "metrics")]
        meters::opened(self, _core);
    }

    /// Something happened to the feed.
    pub(crate) fn happened(&self, _core: &Core, _event: &Event) {
        #[cfg(feature = "tracing")]
        spans::happened(self.label(_core), _event);
        #[cfg(feature = "metrics")]
        meters::happened(self, _core, _event);
    }

    /// A peer has sent something that doesn't verify.
    pub(crate) fn refused(&self, _core: &Core, _peer: PeerId, _error: &Error) {
        #[cfg(feature = "tracing")]
        spans::refused(self.label(_core), _peer, _error);
        #[cfg(feature = "metrics")]
        meters::refused(self, _core);
    }
}

/// Lets a wait for peers be seen.
pub(crate) fn waiting<F: Future>(
    _core: &Arc<Core>,
    _missing: &Missing,
    work: F,
) -> impl Future<Output = F::Output> {
    #[cfg(feature = "tracing")]
    let work = tracing::Instrument::instrument(
        work,
        spans::request(_core.observer().label(_core), _missing),
    );
    work
}

/// Lets a connection be seen while it runs, and how it ended.
pub(crate) fn connection<F: Future<Output = Result<Session>>>(
    _role: Role,
    _remote: Remote,
    work: F,
) -> impl Future<Output = Result<Session>> {
    #[cfg(feature = "tracing")]
    let work = spans::connection(_role, _remote, work);
    work
}

/// Something happened on the connection that is being driven.
pub(crate) fn connection_event(_event: &ConnectionEvent) {
    #[cfg(feature = "tracing")]
    spans::connection_event(_event);
}

impl Channel {
    pub(crate) fn new(_core: &Core, _peer: PeerId) -> Self {
        Channel {
            #[cfg(feature = "tracing")]
            span: spans::channel(_core.observer().label(_core), _peer),
            #[cfg(feature = "metrics")]
            asked: meters::Asked::default(),
        }
    }

    /// Lets the work for the feed be seen as such.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        work()
    }

    /// The same for work that waits.
    pub(crate) fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        #[cfg(feature = "tracing")]
        let work = tracing::Instrument::instrument(work, self.span.clone());
        work
    }

    /// A message goes out.
    pub(crate) fn sent(&mut self, _core: &Core, _message: &Message) {
        #[cfg(feature = "metrics")]
        self.asked.sent(_core, _message);
    }

    /// The answer to a request has come.
    pub(crate) fn answered(&mut self, _core: &Core, _block: u64) {
        #[cfg(feature = "metrics")]
        self.asked.answered(_core, _block);
    }
}
