//! A sparse copy: nothing is fetched until somebody asks for it.

use std::io::SeekFrom;

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use futures_lite::{AsyncReadExt, AsyncSeekExt};
use hypercore::{DownloadRequest, Hypercore, Role, Storage};

#[async_std::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A thousand blocks of a thousand bytes.
    let writer = Hypercore::open(Storage::memory()).await?;
    let blocks = (0..1000_u32).map(|n| vec![n as u8; 1000]);
    writer.append_batch(blocks).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    task::spawn({
        let writer = writer.clone();
        async move {
            let (socket, _) = listener.accept().await?;
            writer.replicate(Role::Responder, socket).live(true).await
        }
    });

    let copy = Hypercore::builder(Storage::memory())
        .key(writer.key())
        .sparse(true)
        .open()
        .await?;
    let socket = TcpStream::connect(address).await?;
    task::spawn(
        copy.replicate(Role::Initiator, socket)
            .live(true)
            .into_future(),
    );

    // How long it is costs a proof and no block.
    assert_eq!(copy.update().await?, 1000);
    assert_eq!(copy.downloaded(..), 0);

    // One block, with its proof.
    assert_eq!(copy.get(700).await?, vec![700_u32 as u8; 1000]);
    assert_eq!(copy.downloaded(..), 1);

    // A piece of the bytes: only the blocks are fetched that hold it.
    let mut piece = [0; 10];
    let mut bytes = copy.bytes(..);
    bytes.seek(SeekFrom::Start(300_995)).await?;
    bytes.read_exact(&mut piece).await?;
    assert_eq!(piece, [44, 44, 44, 44, 44, 45, 45, 45, 45, 45]);
    assert_eq!(copy.downloaded(..), 3);

    // What will be needed later can be fetched ahead: a range, or blocks from all over.
    copy.download(0..10).await?;
    copy.download(DownloadRequest::blocks([500, 900])).await?;
    assert!(copy.has_range(0..10) && copy.has(500) && copy.has(900));

    // And given back. The proof that it was there goes on.
    copy.clear(0..3).await?;
    copy.clear(8..10).await?;
    assert_eq!(copy.missing(0..10), [0..3, 8..10]);
    copy.close().await?;
    Ok(())
}
