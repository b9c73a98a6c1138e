//! Server-sent events: lines of text for as long as somebody listens.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_lite::{Stream, StreamExt, stream};

use super::{Answer, stream as answer};

/// How long nothing may be said. Whoever has left is noticed only when something is.
const QUIET: Duration = Duration::from_secs(15);

/// Something that happened. Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) kind: &'static str,
    /// By which a listener that comes back says what it has heard.
    pub(crate) id: Option<u64>,
    pub(crate) text: String,
}

impl Happening {
    fn lines(&self) -> String {
        let id = self.id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        format!("event: {}\n{id}data: {}\n\n", self.kind, self.text)
    }
}

/// An answer that tells what happens.
pub(crate) fn events(
    happenings: impl Stream<Item = io::Result<Happening>> + Send + Unpin + 'static,
) -> Answer {
    let lines = stream::unfold(Some(happenings), |happenings| async {
        let mut happenings = happenings?;
        let quiet = async_std::future::timeout(QUIET, happenings.next()).await;
        let (piece, rest) = match quiet {
            // A comment.
            Err(_) => (Ok(Bytes::from_static(b":\n\n")), Some(happenings)),
            Ok(Some(Ok(happening))) => (Ok(Bytes::from(happening.lines())), Some(happenings)),
            Ok(Some(Err(error))) => (Err(error), None),
            Ok(None) => return None,
        };
        Some((piece, rest))
    });
    // Said at once, so that a listener knows that it is heard.
    let hello = stream::once(Ok(Bytes::from_static(b":\n\n")));
    answer("text/event-stream", hello.chain(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_happening_is_a_few_lines_and_an_empty_one() {
        let mut happening = Happening {
            kind: "block",
            id: Some(7),
            text: "{}".to_owned(),
        };
        assert_eq!(happening.lines(), "event: block\nid: 7\ndata: {}\n\n");
        happening.id = None;
        assert_eq!(happening.lines(), "event: block\ndata: {}\n\n");
    }
}
