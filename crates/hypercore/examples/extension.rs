//! Messages of one's own between the peers of a feed: here a reader that says thank you.

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use futures_lite::StreamExt;
use hypercore::{Hypercore, Role, Storage, Utf8};

#[async_std::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let writer = Hypercore::open(Storage::memory()).await?;
    writer.append("news").await?;
    let reader = Hypercore::builder(Storage::memory())
        .key(writer.key())
        .open()
        .await?;

    // Both sides register the name. The extension is gone when this is dropped.
    let thanks = reader.extension("thanks", Utf8)?;
    let received = writer.extension("thanks", Utf8)?;
    let mut messages = received.messages();

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = task::spawn({
        let writer = writer.clone();
        async move {
            let (socket, _) = listener.accept().await?;
            writer.replicate(Role::Responder, socket).live(true).await
        }
    });
    let socket = TcpStream::connect(address).await?;
    let fetching = reader.replicate(Role::Initiator, socket).live(true);
    let fetching = task::spawn(fetching.into_future());

    reader.get(0).await?;
    assert_eq!(thanks.broadcast("for block 0")?, 1);

    let Some(message) = messages.next().await else {
        return Err("the feed was closed".into());
    };
    let (peer, text) = message?;
    assert_eq!(text, "for block 0");
    // Nobody but this peer is answered.
    received.send("you are welcome", peer)?;
    let answer = thanks.messages().next().await.transpose()?;
    assert_eq!(
        answer.map(|(_, text)| text).as_deref(),
        Some("you are welcome")
    );

    writer.close().await?;
    assert!(serving.await.is_err());
    fetching.await?;
    Ok(())
}
