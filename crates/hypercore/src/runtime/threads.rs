//! A runtime without an executor: whoever waits does so on its own thread, by [`block_on`].
//!
//! The timers and sockets of async-io wake that thread, and the pool of blocking makes the calls that hold up others. Nothing
//! runs before the first use.

use std::{any::Any, net::Shutdown, net::TcpStream, time::Duration};

use async_io::{Async, Timer};
use futures_lite::FutureExt;

use super::{BoxFuture, Runtime, since_start};

/// Threads: what [`blocking`](crate::blocking) runs on. Futures of feeds that use it can be driven by any executor as well.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Threads;

impl Runtime for Threads {
    fn now(&self) -> Duration {
        since_start()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async move {
            Timer::after(duration).await;
        })
    }

    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        ::blocking::unblock(call).boxed()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        ::blocking::unblock(|| block_on(task)).detach();
    }

    fn end_sending(&self, socket: &mut dyn Any) {
        // Closing these sockets flushes them and no more. One that is already disconnected has nothing to end.
        if let Some(socket) = socket.downcast_ref::<Async<TcpStream>>() {
            let _ = socket.get_ref().shutdown(Shutdown::Write);
        }
        #[cfg(unix)]
        if let Some(socket) = socket.downcast_ref::<Async<std::os::unix::net::UnixStream>>() {
            let _ = socket.get_ref().shutdown(Shutdown::Write);
        }
    }
}

/// Waits for a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    async_io::block_on(future)
}
