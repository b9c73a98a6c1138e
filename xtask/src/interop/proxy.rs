//! A wire between two peers that counts what passes.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::Result;

/// One connection that is passed on.
pub(super) struct Proxy {
    port: u16,
    /// From the side that connects, and from the side that listens.
    counts: [Arc<AtomicU64>; 2],
    passing: JoinHandle<std::io::Result<()>>,
}

impl Proxy {
    /// Passes on the next connection to whoever listens at a port of this machine.
    pub(super) fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let own = listener.local_addr()?.port();
        let counts = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
        let [there, back] = counts.clone();
        let passing = thread::spawn(move || {
            let (near, _) = listener.accept()?;
            let far = TcpStream::connect(("127.0.0.1", port))?;
            for socket in [&near, &far] {
                socket.set_nodelay(true)?;
            }
            let (near_again, far_again) = (near.try_clone()?, far.try_clone()?);
            let other = thread::spawn(move || pass(far_again, near_again, &back));
            pass(near, far, &there);
            // It can't have panicked.
            let _ = other.join();
            Ok(())
        });
        Ok(Proxy {
            port: own,
            counts,
            passing,
        })
    }

    /// Where to connect to.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until both have hung up, and says how many bytes the one that connected has sent and received.
    pub(super) fn finish(self) -> Result<[u64; 2]> {
        self.passing.join().map_err(|_| "the proxy broke")??;
        Ok(self.counts.map(|count| count.load(Ordering::Relaxed)))
    }
}

/// Passes on one direction to its end. A side that breaks off has ended it too.
fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        count.fetch_add(len as u64, Ordering::Relaxed);
        if to.write_all(buffer.get(..len).unwrap_or_default()).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
