//! Answers: a status, headers, and a body that is whole or a stream.

use std::{fmt, io};

use ::bytes::Bytes;
use futures_lite::{Stream, StreamExt};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};

/// The bytes of an answer, as they come. An error cuts the connection, so that a client can tell what is short from what is whole.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(crate) type Answer = Response<Body>;

/// An answer of one piece.
pub(crate) fn bytes(kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let body = Full::new(bytes.into()).map_err(|never| match never {});
    with(kind, Body::new(body))
}

pub(crate) fn text(text: impl fmt::Display) -> Answer {
    bytes("text/plain; charset=utf-8", text.to_string())
}

/// An answer without a body.
pub(crate) fn empty(kind: &'static str) -> Answer {
    let body = Empty::new().map_err(|never| match never {});
    with(kind, Body::new(body))
}

/// An answer whose pieces are still to come.
pub(crate) fn stream(
    kind: &'static str,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Answer {
    let frames = pieces.map(|piece| piece.map(Frame::data));
    with(kind, Body::new(StreamBody::new(frames)))
}

/// An answer that says why there is none.
pub(crate) fn refusal(status: StatusCode, why: impl fmt::Display) -> Answer {
    let mut answer = text(format_args!("{why}\n"));
    *answer.status_mut() = status;
    answer
}

fn with(kind: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // What somebody has put into a feed is never run as something else than what it is said to be.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
