//! The runtime async-std: the only file of this crate that names it.

use std::{any::Any, net::Shutdown, time::Duration};

use async_std::net::TcpStream;

use super::{BoxFuture, Runtime, since_start};

/// async-std, with its own timers and pool of blocking threads. It starts with its first use.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    fn now(&self) -> Duration {
        since_start()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async_std::task::sleep(duration))
    }

    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        Box::pin(async_std::task::spawn_blocking(call))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        drop(async_std::task::spawn(task));
    }

    fn end_sending(&self, socket: &mut dyn Any) {
        // Closing these sockets flushes them and no more. One that is already disconnected has nothing to end.
        if let Some(socket) = socket.downcast_ref::<TcpStream>() {
            let _ = socket.shutdown(Shutdown::Write);
        }
        #[cfg(unix)]
        if let Some(socket) = socket.downcast_ref::<async_std::os::unix::net::UnixStream>() {
            let _ = socket.shutdown(Shutdown::Write);
        }
    }
}
