//! Ctrl-C: the command stops between two steps, and what was stored stays.
//!
//! A command that has something to say about what it keeps [listens](listen). It is given time to end by itself; a second
//! Ctrl-C doesn't wait for it. Any other command is cancelled.

use std::{
    future::Future,
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_signal::{Signal, Signals};
use async_std::{future::timeout, task};
use event_listener::Event;
use futures_lite::{FutureExt, StreamExt};

use crate::failure::{Code, Failure};

/// How long the step that is under way may take. A read of a keyboard never ends.
const GRACE: Duration = Duration::from_secs(1);

/// How long a command that listens may take.
const FAREWELL: Duration = Duration::from_secs(10);

static LISTENERS: AtomicUsize = AtomicUsize::new(0);
static PRESSED: AtomicBool = AtomicBool::new(false);
static BELL: LazyLock<Event> = LazyLock::new(Event::new);

/// A command that ends by itself when Ctrl-C is pressed.
pub(crate) struct Listening(());

/// Says that this command ends by itself, as long as the result lives.
pub(crate) fn listen() -> Listening {
    LISTENERS.fetch_add(1, Ordering::SeqCst);
    Listening(())
}

impl Listening {
    /// Completes once Ctrl-C was pressed.
    pub(crate) async fn pressed(&self) {
        loop {
            // Listen first, look second.
            let bell = BELL.listen();
            if PRESSED.load(Ordering::SeqCst) {
                return;
            }
            bell.await;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs a command to its end, or until somebody presses Ctrl-C.
///
/// The command has a thread of its own, so that it may block.
pub(crate) async fn unless_interrupted<F>(command: F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut signals = Signals::new([Signal::Int])?;
    let mut command = task::spawn(command);
    if let Some(result) = until_next(&mut signals, &mut command).await {
        return result;
    }
    if LISTENERS.load(Ordering::SeqCst) > 0 {
        PRESSED.store(true, Ordering::SeqCst);
        BELL.notify(usize::MAX);
        let ended = timeout(FAREWELL, until_next(&mut signals, &mut command)).await;
        if let Ok(Some(result)) = ended {
            return result;
        }
    }
    // Cancelling waits for the step to end: a commit is never cut in two by us.
    let _ = timeout(GRACE, command.cancel()).await;
    let message = "interrupted; what was stored stays";
    Err(Failure::new(Code::Interrupted, message))
}

/// How the command ends; nothing if Ctrl-C is pressed before.
async fn until_next<T>(signals: &mut Signals, command: &mut task::JoinHandle<T>) -> Option<T> {
    let ended = async { Some(command.await) };
    let interrupted = async {
        signals.next().await;
        None
    };
    ended.or(interrupted).await
}
