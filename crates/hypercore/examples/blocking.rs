//! Without async: a feed is served by a thread and copied by another, over TCP and over pipes.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use hypercore::{Role, Storage, blocking::Hypercore};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let feed = Hypercore::open(Storage::memory())?;
    feed.append_batch(["one ", "two "])?;
    let mut writer = feed.byte_writer(1024);
    writer.write_all(b"and a file")?;
    writer.close()?;

    // One thread for each connection.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = thread::spawn({
        let feed = feed.clone();
        move || feed.replicate(Role::Responder, listener.accept()?.0)
    });
    let copy = Hypercore::open_with(Storage::memory(), |copy| copy.key(feed.key()))?;
    copy.replicate(Role::Initiator, TcpStream::connect(address)?)?;
    assert!(serving.join().is_ok_and(|session| session.is_ok()));

    let mut text = String::new();
    copy.bytes(..).read_to_string(&mut text)?;
    assert_eq!(text, "one two and a file");

    // Any reader and writer will do, such as the pipes of a process: `ssh host hypercore serve --stdio feed`.
    let (here_in, there_out) = std::io::pipe()?;
    let (there_in, here_out) = std::io::pipe()?;
    let serving = thread::spawn(move || copy.replicate(Role::Responder, (there_in, there_out)));
    let second = Hypercore::open_with(Storage::memory(), |copy| copy.key(feed.key()))?;
    second.replicate(Role::Initiator, (here_in, here_out))?;
    assert!(serving.join().is_ok_and(|session| session.is_ok()));
    for (block, copied) in feed.read(..).zip(second.read(..)) {
        assert_eq!(block?, copied?);
    }
    Ok(())
}
