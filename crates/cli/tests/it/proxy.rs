//! A line that lets so many bytes of the answer pass, and then nothing more.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

pub(crate) struct Proxy {
    address: String,
}

impl Proxy {
    /// Passes connections on to an address. Of what comes back only so many bytes arrive, in each connection.
    pub(crate) fn start(to: &str, bytes: usize) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let to = to.to_owned();
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                let far = TcpStream::connect(&to).unwrap();
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || pass(near, far, usize::MAX));
                thread::spawn(move || pass(far_too, near_too, bytes));
            }
        });
        Proxy { address }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut bytes: usize) {
    let mut piece = [0; 4096];
    while bytes > 0 {
        let most = piece.len().min(bytes);
        let Ok(len @ 1..) = from.read(&mut piece[..most]) else {
            let _ = to.shutdown(Shutdown::Write);
            return;
        };
        if to.write_all(&piece[..len]).is_err() {
            return;
        }
        bytes -= len;
    }
    // Keeps the line open without a word, until whoever listens is gone.
    let _ = io::copy(&mut from, &mut io::sink());
}
