//! The face without async: real threads, real sockets and pipes of one process.
#![allow(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use hypercore::{
    DownloadRequest, Error, Event, Json, Role, Session, Storage, Utf8,
    blocking::{Hypercore, Socket, iter},
};

fn memory() -> Hypercore {
    Hypercore::open(Storage::memory()).unwrap()
}

fn copy_of(feed: &Hypercore) -> Hypercore {
    Hypercore::open_with(Storage::memory(), |copy| copy.key(feed.key())).unwrap()
}

/// Both ends of a connection over the loopback.
fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// A connection on a thread of its own, which stays.
fn live<S>(feed: &Hypercore, role: Role, socket: S) -> JoinHandle<hypercore::Result<Session>>
where
    S: Socket + Send + 'static,
{
    let feed = feed.clone();
    thread::spawn(move || feed.replicate_with(role, socket, |connection| connection.live(true)))
}

#[test]
fn a_block_is_waited_for_until_the_other_side_appends_it() {
    let writer = memory();
    let reader = copy_of(&writer);
    let (near, far) = sockets();
    let threads = [
        live(&writer, Role::Responder, far),
        live(&reader, Role::Initiator, near),
    ];
    let waiting = thread::spawn({
        let reader = reader.clone();
        move || reader.get(1)
    });
    writer.append_batch(["zero", "one"]).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), "one");
    assert_eq!(reader.head().unwrap(), "one");
    assert_eq!(reader.seek(5).unwrap(), (1, 1));

    // One side leaves, and the other is told.
    writer.close().unwrap();
    let [serving, fetching] = threads.map(|thread| thread.join().unwrap());
    assert!(matches!(serving, Err(Error::Closed)), "{serving:?}");
    assert!(fetching.unwrap().bytes_received > 0);
}

#[test]
fn a_reader_and_a_writer_of_any_kind_are_a_connection() {
    let feed = memory();
    let blocks: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; 1000]).collect();
    feed.append_batch(blocks.clone()).unwrap();
    let copy = copy_of(&feed);

    let (here_in, there_out) = io::pipe().unwrap();
    let (there_in, here_out) = io::pipe().unwrap();
    let serving = thread::spawn({
        let feed = feed.clone();
        move || feed.replicate(Role::Responder, (there_in, there_out))
    });
    let session = copy
        .replicate(Role::Initiator, (here_in, here_out))
        .unwrap();
    assert!(session.finished && serving.join().unwrap().unwrap().finished);
    let copied: Vec<_> = copy.read(..).collect::<Result<_, _>>().unwrap();
    assert_eq!(copied, blocks);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_a_connection() {
    let feed = memory();
    feed.append("a").unwrap();
    let copy = copy_of(&feed);
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let serving = thread::spawn({
        let feed = feed.clone();
        move || feed.replicate(Role::Responder, far)
    });
    assert!(copy.replicate(Role::Initiator, near).unwrap().finished);
    assert!(serving.join().unwrap().unwrap().finished);
    assert!(copy.has(0));
}

#[test]
fn threads_append_at_once_and_each_finds_its_blocks() {
    let feed = memory().typed::<Utf8>();
    thread::scope(|scope| {
        for thread in 0..8 {
            let feed = &feed;
            scope.spawn(move || {
                for n in 0..20 {
                    let text = format!("{thread} {n}");
                    let block = feed.append(&text).unwrap();
                    assert_eq!(feed.get(block).unwrap(), text);
                }
            });
        }
    });
    assert_eq!(feed.len(), 160);
}

#[test]
fn who_does_not_wait_is_told_what_is_missing_by_every_call() {
    let feed = memory();
    feed.append("a").unwrap();
    let soon = Duration::from_millis(1);
    assert!(matches!(
        feed.get_with(1, |get| get.wait(false)),
        Err(Error::NotLocal { block: 1 })
    ));
    assert!(matches!(
        feed.get_range_with(0..2, |get| get.timeout(soon)),
        Err(Error::TimedOut)
    ));
    assert!(matches!(
        feed.head_with(|head| head.update(true).if_available()),
        Err(Error::NoUpdate)
    ));
    assert!(matches!(
        feed.seek_with(9, |seek| seek.wait(false)),
        Err(Error::ByteNotLocal { byte: 9 })
    ));
    assert!(matches!(
        feed.update_with(|update| update.min_length(2).timeout(soon)),
        Err(Error::TimedOut)
    ));
}

#[test]
fn a_download_tells_how_far_it_is_and_when_it_is_done() {
    let feed = memory();
    feed.append_batch(["a", "b", "c"]).unwrap();
    let copy =
        Hypercore::open_with(Storage::memory(), |copy| copy.key(feed.key()).sparse(true)).unwrap();
    let (near, far) = sockets();
    let threads = [
        live(&feed, Role::Responder, far),
        live(&copy, Role::Initiator, near),
    ];
    let download = copy.download(DownloadRequest::blocks([0, 2]));
    assert_eq!(download.progress().total, Some(2));
    download.wait().unwrap();
    assert!(copy.has(0) && !copy.has(1) && copy.has(2));
    copy.close().unwrap();
    for thread in threads {
        // Which of the two learns first of the end depends on the threads.
        let _ = thread.join().unwrap();
    }
}

#[test]
fn a_writer_that_is_dropped_appends_what_it_has() {
    let feed = memory();
    let mut writer = feed.byte_writer(4);
    writer.write_all(b"eleven byte").unwrap();
    drop(writer);
    assert_eq!(feed.len(), 3);

    let mut file = feed.bytes(2..);
    let mut text = String::new();
    file.seek(SeekFrom::End(-3)).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "yte");
}

#[test]
fn a_writer_of_a_feed_that_cannot_be_written_says_so_when_it_is_closed() {
    let copy = copy_of(&memory());
    let mut writer = copy.byte_writer(4);
    writer.write_all(b"abc").unwrap();
    assert!(writer.close().is_err());
    assert!(copy.append("a").is_err());
}

#[test]
fn values_that_are_sent_into_a_sink_are_read_again_as_values() {
    let feed = memory().typed::<Json<(u32, String)>>();
    let mut sink = feed.write();
    let values: Vec<_> = (0..50_u32).map(|n| (n, n.to_string())).collect();
    for value in values.clone() {
        sink.send(value).unwrap();
    }
    sink.close().unwrap();
    let read: Vec<_> = feed
        .read_with(.., |read| read.batch(7))
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(read, values);
}

#[test]
fn events_are_an_iterator_that_ends_with_the_feed() {
    let feed = memory();
    let events = feed.events();
    feed.append("a").unwrap();
    feed.sync().unwrap();
    feed.close().unwrap();
    let append = Event::Append {
        length: 1,
        byte_length: 1,
    };
    assert_eq!(events.collect::<Vec<_>>(), [append, Event::Close]);
    assert!(matches!(feed.append("b"), Err(Error::Closed)));
}

#[test]
fn what_asynchronous_code_has_opened_can_be_used_from_threads() {
    let feed = async_io::block_on(hypercore::Hypercore::open(Storage::memory())).unwrap();
    let threads = Hypercore::from(feed.clone());
    threads.append("a").unwrap();
    assert_eq!(async_io::block_on(feed.get(0).into_future()).unwrap(), "a");

    // Its messages too.
    let copy = copy_of(&threads);
    let (here, there) = (
        feed.extension("chat", Utf8).unwrap(),
        copy.extension("chat", Utf8).unwrap(),
    );
    let mut messages = iter(there.messages());
    let (near, far) = sockets();
    let serving = live(&threads, Role::Responder, far);
    let fetching = live(&copy, Role::Initiator, near);
    assert_eq!(copy.get(0).unwrap(), "a");
    here.broadcast("hello").unwrap();
    assert_eq!(messages.next().unwrap().unwrap().1, "hello");
    copy.destroy().unwrap();
    feed_ends(fetching);
    threads.close().unwrap();
    feed_ends(serving);
}

fn feed_ends(thread: JoinHandle<hypercore::Result<Session>>) {
    let ended = thread.join().unwrap();
    assert!(matches!(ended, Ok(_) | Err(Error::Closed)), "{ended:?}");
}
