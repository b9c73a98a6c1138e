//! Ctrl-C: the command stops between two steps, and what was stored stays.

use std::{future::Future, time::Duration};

use async_signal::{Signal, Signals};
use async_std::{future::timeout, task};
use futures_lite::{FutureExt, StreamExt};

use crate::failure::{Code, Failure};

/// How long the step that is under way may take. A read of a keyboard never ends.
const GRACE: Duration = Duration::from_secs(1);

/// Runs a command to its end, or until somebody presses Ctrl-C.
///
/// The command has a thread of its own, so that it may block.
pub(crate) async fn unless_interrupted<F>(command: F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut signals = Signals::new([Signal::Int])?;
    let mut command = task::spawn(command);
    let ended = async { Some((&mut command).await) };
    let interrupted = async {
        signals.next().await;
        None
    };
    if let Some(result) = ended.or(interrupted).await {
        return result;
    }
    // Cancelling waits for the step to end: a commit is never cut in two by us.
    let _ = timeout(GRACE, command.cancel()).await;
    let message = "interrupted; what was stored stays";
    Err(Failure::new(Code::Interrupted, message))
}
