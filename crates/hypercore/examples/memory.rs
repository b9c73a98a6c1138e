//! A feed in memory: append, read, and look at what it is.

use futures_lite::StreamExt;
use hypercore::{Hypercore, Storage};

#[async_std::main]
async fn main() -> hypercore::Result<()> {
    let feed = Hypercore::open(Storage::memory()).await?;

    // One block, or several with one signature.
    assert_eq!(feed.append("hello").await?, 0);
    assert_eq!(feed.append_batch(["big", "world"]).await?, 1..3);

    assert_eq!(feed.get(0).await?, "hello");
    assert_eq!(feed.head().await?, "world");
    assert_eq!((feed.len(), feed.byte_len()), (3, 13));

    let mut blocks = feed.read(1..);
    let mut words = Vec::new();
    while let Some(block) = blocks.next().await {
        words.push(block?);
    }
    assert_eq!(words, ["big", "world"]);

    // Readers need this, and nothing else.
    assert_eq!(feed.key().to_string().len(), 64);
    Ok(())
}
