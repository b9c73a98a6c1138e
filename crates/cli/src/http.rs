//! A small HTTP server: GET and HEAD, a bounded number of connections, and answers that are streams.
//!
//! hyper speaks HTTP. Here is what it doesn't decide: who may connect, how long anybody may take, and whether a request is meant
//! for us at all. A server that listens on this machine only answers requests whose `Host` is this machine, too: a page from
//! elsewhere can make its own name lead here, but not the browser forget that name.

mod answer;
mod events;
mod range;
mod slow;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_std::{net::TcpListener, task};
use futures_lite::StreamExt;
use hyper::{
    Method, Request, StatusCode, body::Incoming, header::HOST, server::conn::http1,
    service::service_fn,
};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use self::slow::Hurried;
pub(crate) use self::{
    answer::{Answer, bytes, empty, refusal, stream, text},
    events::{Happening, events},
    range::{Requested, requested},
};
use crate::failure::{Code, Failure};

/// How many connections there may be at a time. Those beyond are turned away.
const MOST: usize = 64;

/// How long a client may take to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take none of what it has asked for.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How much of a request is looked at.
const LARGEST_HEADER: usize = 16 * 1024;

/// A server that listens.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// What is asked for: a path, and the headers.
pub(crate) type Question = Request<Incoming>;

impl Server {
    pub(crate) async fn bind(address: SocketAddr, option: &'static str) -> Result<Self, Failure> {
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok(Server { listener, address })
        };
        bound.await.map_err(|error: io::Error| {
            Failure::new(Code::Other, format!("cannot listen on {address}: {error}")).hint(format!(
                "choose another address with {option}, or port 0 for a free one"
            ))
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever. Each connection has a task of its own.
    pub(crate) async fn run<A, F>(self, answer: A) -> Result<(), Failure>
    where
        A: Fn(Question) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let here_only = self.address.ip().is_loopback();
        let room = Arc::new(Room::default());
        let mut incoming = self.listener.incoming();
        while let Some(socket) = incoming.next().await {
            let Ok(socket) = socket else { continue };
            let Some(place) = Room::enter(&room) else {
                continue;
            };
            let _ = socket.set_nodelay(true);
            let answer = answer.clone();
            task::spawn(async move {
                let _place = place;
                let service = service_fn(move |question: Question| {
                    let refused = refuse(&question, here_only);
                    let answer = answer.clone();
                    async move {
                        Ok::<_, io::Error>(match refused {
                            Some(refused) => refused,
                            None => answer(question).await,
                        })
                    }
                });
                let socket = FuturesIo::new(Hurried::new(socket, STALL_TIMEOUT));
                let served = http1::Builder::new()
                    .timer(SmolTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .max_buf_size(LARGEST_HEADER)
                    .serve_connection(socket, service);
                // A client that has gone away wants nothing, so there is nobody to tell.
                let _ = served.await;
            });
        }
        Ok(())
    }
}

/// What needs no answer of the program.
fn refuse(question: &Question, here_only: bool) -> Option<Answer> {
    if ![Method::GET, Method::HEAD].contains(question.method()) {
        return Some(refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"));
    }
    let host = question
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    if here_only && !host.is_some_and(is_this_machine) {
        let text = "this server answers to the names of this machine only";
        return Some(refusal(StatusCode::MISDIRECTED_REQUEST, text));
    }
    None
}

/// Whether a `Host` header names this machine by an address or name that nobody else can give it.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address = address.unwrap_or(name).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Room for so many connections.
#[derive(Default)]
struct Room {
    taken: AtomicUsize,
}

/// A place in it.
struct Seat(Arc<Room>);

impl Room {
    fn enter(room: &Arc<Room>) -> Option<Seat> {
        let before = room.taken.fetch_add(1, Ordering::AcqRel);
        let seat = Seat(Arc::clone(room));
        (before < MOST).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:80",
            "[::1]",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "example.com:80",
            "localhost.example.com",
            "127.0.0.1.example.com:80",
            "192.0.2.1",
            "0.0.0.0",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn there_is_room_for_so_many() {
        let room = Arc::new(Room::default());
        let seats: Vec<_> = (0..MOST).map(|_| Room::enter(&room).unwrap()).collect();
        assert!(Room::enter(&room).is_none());
        drop(seats);
        assert!(Room::enter(&room).is_some());
    }
}
