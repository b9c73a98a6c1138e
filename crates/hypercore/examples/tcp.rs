//! Two peers over TCP: the reader knows only the key, gets what is there, and then whatever is appended.

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use futures_lite::StreamExt;
use hypercore::{Hypercore, Role, Storage};

#[async_std::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let writer = Hypercore::open(Storage::memory()).await?;
    writer.append_batch(["one", "two"]).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = task::spawn({
        let writer = writer.clone();
        async move {
            let (socket, _) = listener.accept().await?;
            writer.replicate(Role::Responder, socket).live(true).await
        }
    });

    let reader = Hypercore::builder(Storage::memory())
        .key(writer.key())
        .open()
        .await?;
    let socket = TcpStream::connect(address).await?;
    let fetching = task::spawn(
        reader
            .replicate(Role::Initiator, socket)
            .live(true)
            .into_future(),
    );

    let mut blocks = reader.read(..3).live(true);
    assert_eq!(
        blocks.next().await.transpose()?.as_deref(),
        Some(&b"one"[..])
    );
    assert_eq!(
        blocks.next().await.transpose()?.as_deref(),
        Some(&b"two"[..])
    );
    writer.append("three").await?;
    assert_eq!(
        blocks.next().await.transpose()?.as_deref(),
        Some(&b"three"[..])
    );

    // Closing a feed ends its connections, and the other side is told.
    reader.close().await?;
    assert!(fetching.await.is_err());
    serving.await?;
    Ok(())
}
