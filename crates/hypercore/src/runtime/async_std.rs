//! The runtime async-std: the only file of this crate that names it.

use std::time::{Duration, Instant};

use super::{BoxFuture, Runtime};

/// async-std, with its own timers and pool of blocking threads. It starts with its first use.
#[derive(Debug)]
pub struct AsyncStd {
    start: Instant,
}

impl Default for AsyncStd {
    fn default() -> Self {
        AsyncStd {
            start: Instant::now(),
        }
    }
}

impl Runtime for AsyncStd {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async_std::task::sleep(duration))
    }

    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        Box::pin(async_std::task::spawn_blocking(call))
    }
}
