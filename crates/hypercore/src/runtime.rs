//! What the facade needs of its surroundings: a clock, a timer, a place for calls that block, and randomness.
//!
//! Everything else is runtime-neutral: sockets come in through the `futures-io` traits, locks and channels work on any
//! executor. Two runtimes ship, each in one file behind a feature: async-std, and threads for programs without async.

#[cfg(feature = "async-std")]
mod async_std;
#[cfg(feature = "blocking")]
mod threads;

use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};
#[cfg(any(feature = "blocking", feature = "async-std"))]
use std::{sync::LazyLock, time::Instant};

use noise::KeyPair;

use crate::{Error, Result};

#[cfg(feature = "async-std")]
pub use async_std::AsyncStd;
#[cfg(feature = "blocking")]
pub use threads::Threads;
#[cfg(feature = "blocking")]
pub(crate) use threads::block_on;

/// A boxed future that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The services of a runtime.
///
/// Implement it to run feeds on another executor, or on a virtual clock:
/// [`Builder::runtime`](crate::Builder::runtime) takes it.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// The time since a start of the runtime's choosing. Never goes backwards. All runtimes that meet on one connection, its
    /// own and those of its feeds, have to agree on the start.
    fn now(&self) -> Duration;

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;

    /// Runs a call that may block for long (such as a sync to disk) where it holds up no other task.
    ///
    /// The call runs to its end even if the future is dropped.
    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()>;

    /// Runs a task in the background until it completes. Used for syncs that are due in time.
    ///
    /// Default: drops it, so that a feed syncs by bytes, by calls, and before announcements only.
    fn spawn(&self, _task: BoxFuture<()>) {}

    /// Fills `bytes` with randomness fit for keys. Default: that of the operating system. Only a simulation has a reason to
    /// answer otherwise.
    ///
    /// # Errors
    /// [`Error::Randomness`] if there is none.
    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(Error::Randomness)
    }

    /// Ends the sending direction of a socket of this runtime, if closing it by `AsyncWrite::poll_close` only flushes it.
    ///
    /// Called once everything is sent and the socket is closed. Without it two peers that have said all they had to say
    /// would wait for one another. Default: does nothing, which is right for sockets whose `poll_close` does it.
    fn end_sending(&self, _socket: &mut dyn Any) {}
}

/// So many random bytes.
pub(crate) fn random<const N: usize>(runtime: &dyn Runtime) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    runtime.random(&mut bytes)?;
    Ok(bytes)
}

/// A new key pair by which a peer is known on its connections, from the randomness of the operating system. One that is to
/// stay the same comes from [`NoiseKeyPair::from_seed`](crate::NoiseKeyPair::from_seed).
///
/// ```
/// use hypercore::{Connection, Role, generate_noise_key_pair};
///
/// let connection = Connection::new(Role::Initiator).key_pair(generate_noise_key_pair()?);
/// # Ok::<_, hypercore::Error>(())
/// ```
///
/// # Errors
/// [`Error::Randomness`].
pub fn generate_noise_key_pair() -> Result<KeyPair> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(Error::Randomness)?;
    Ok(KeyPair::from_secret(secret))
}

/// The runtime of a feed for which none was named.
pub(crate) fn default_runtime() -> Option<Arc<dyn Runtime>> {
    #[cfg(feature = "async-std")]
    return Some(Arc::new(AsyncStd));
    #[cfg(all(feature = "blocking", not(feature = "async-std")))]
    return Some(Arc::new(Threads));
    #[cfg(not(any(feature = "blocking", feature = "async-std")))]
    None
}

/// The clock of the process. One for all feeds, since several of them may be on one connection.
#[cfg(any(feature = "blocking", feature = "async-std"))]
fn since_start() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(all(test, feature = "async-std"))]
mod tests {
    use super::*;

    #[test]
    fn feeds_that_were_opened_at_different_times_share_a_clock() {
        let early = default_runtime().unwrap();
        while early.now().is_zero() {}
        let before = early.now();
        let late = default_runtime().unwrap();
        assert!(late.now() >= before);
    }
}
