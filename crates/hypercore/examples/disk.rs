//! A feed in a directory: six files that JavaScript reads too, and that a second program can't spoil.

use hypercore::{Durability, Hypercore};

#[async_std::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("weather");

    let feed = Hypercore::open(&place).await?;
    let key = feed.key();
    feed.append("sunny").await?;
    // Within a second this survives a power cut. Whoever can't wait says so.
    feed.sync().await?;

    // Two writers would split the feed for good, so the second is refused.
    let second = Hypercore::open(&place).await;
    assert!(second.is_err_and(|error| error.is_locked()));
    feed.close().await?;

    // Later, perhaps in another process: an append returns only when it is on the disk.
    let feed = Hypercore::builder(&place)
        .create_if_missing(false)
        .durability(Durability::Always)
        .open()
        .await?;
    assert_eq!(feed.key(), key);
    assert!(feed.recovery().is_none());
    feed.append("rain").await?;
    assert_eq!(feed.get_range(0..2).await?, ["sunny", "rain"]);
    feed.close().await?;

    let mut files: Vec<_> = std::fs::read_dir(&place)?
        .map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    let six = [
        "bitfield",
        "data",
        "key",
        "secret_key",
        "signatures",
        "tree",
    ];
    assert_eq!(files, six);
    Ok(())
}
