//! On tokio: a clock, a timer, and a place for calls that take long.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use hypercore::{BoxFuture, Hypercore, Role, Runtime, Storage};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

#[derive(Debug)]
struct Tokio;

impl Runtime for Tokio {
    fn now(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn unblock(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        let call = tokio::task::spawn_blocking(call);
        Box::pin(async {
            // It fails if the call panics, or the runtime is shut down.
            let _ = call.await;
        })
    }

    fn spawn(&self, task: BoxFuture<()>) {
        tokio::spawn(task);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Arc::new(Tokio);
    let writer = Hypercore::builder(Storage::memory())
        .runtime(runtime.clone())
        .open()
        .await?;
    writer.append_batch(["hello", "world"]).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn({
        let writer = writer.clone();
        async move {
            let (socket, _) = listener.accept().await?;
            writer.replicate(Role::Responder, socket.compat()).await
        }
    });

    let reader = Hypercore::builder(Storage::memory())
        .key(writer.key())
        .runtime(runtime)
        .open()
        .await?;
    let socket = TcpStream::connect(address).await?.compat();
    assert!(reader.replicate(Role::Initiator, socket).await?.finished);
    assert!(serving.await??.finished);
    assert_eq!(reader.get_range(0..2).await?, ["hello", "world"]);

    reader.close().await?;
    writer.close().await?;
    Ok(())
}
