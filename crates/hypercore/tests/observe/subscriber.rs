//! Keeps every span and event, with all of its fields as text.

use std::{
    cell::RefCell,
    fmt,
    io::Result,
    pin::Pin,
    sync::{Mutex, Once, atomic::AtomicU64, atomic::Ordering},
    task::{Context, Poll},
};

use futures_lite::{AsyncRead, AsyncWrite};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// A span or an event.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The name of the span, or what the event says.
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, String)>,
    /// The names of the spans around it, the outermost first.
    pub(crate) within: Vec<String>,
}

impl Line {
    pub(crate) fn value(&self, field: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        Some(&fields.find(|(name, _)| name == field)?.1)
    }
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Everything that was seen so far, in this process.
pub(crate) fn lines() -> Vec<Line> {
    LINES.lock().unwrap().clone()
}

/// From now on everything is seen.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let keep = Keep {
            next: AtomicU64::new(1),
        };
        tracing::subscriber::set_global_default(keep).unwrap();
    });
}

struct Keep {
    next: AtomicU64,
}

impl Keep {
    fn within() -> Vec<String> {
        let names = NAMES.lock().unwrap();
        let name = |id: &u64| names[usize::try_from(*id).unwrap() - 1].clone();
        ENTERED.with_borrow(|entered| entered.iter().map(name).collect())
    }
}

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "hypercore"
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let name = attributes.metadata().name().to_owned();
        let within = Self::within();
        let mut names = NAMES.lock().unwrap();
        names.push(name.clone());
        self.next.store(names.len() as u64, Ordering::Relaxed);
        LINES.lock().unwrap().push(Line {
            name,
            fields: fields.0,
            within,
        });
        span::Id::from_u64(names.len() as u64)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.iter().find(|(name, _)| name == "message");
        LINES.lock().unwrap().push(Line {
            name: message.map(|(_, text)| text.clone()).unwrap_or_default(),
            fields: fields.0,
            within: Self::within(),
        });
    }

    fn enter(&self, span: &span::Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, _: &span::Id) {
        ENTERED.with_borrow_mut(|entered| entered.pop());
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name().to_owned(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name().to_owned(), value.to_owned()));
    }
}

/// One end of a connection in memory.
pub(crate) struct Pipe(pub(crate) piper::Reader, pub(crate) piper::Writer);

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.1).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.1).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.1).poll_close(cx)
    }
}
