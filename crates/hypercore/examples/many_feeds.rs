//! Many feeds on one connection: the server opens each when somebody asks for it.

use std::collections::BTreeMap;

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};
use hypercore::{Connection, Hypercore, Role, Storage};

#[async_std::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut shelf = BTreeMap::new();
    for title in ["one", "two", "three"] {
        let feed = Hypercore::open(Storage::memory()).await?;
        feed.append(title).await?;
        shelf.insert(feed.discovery_key(), feed);
    }
    let keys: Vec<_> = shelf.values().map(|feed| feed.key()).collect();

    // What a remote opens goes by its discovery key, so only who knows the key can ask.
    let server = Connection::new(Role::Responder).on_discovery_key(move |name, connection| {
        let feed = shelf.get(&name).cloned();
        async move {
            if let Some(feed) = feed {
                // It may have ended meanwhile.
                let _ = connection.add(&feed);
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = task::spawn(async move { server.run(listener.accept().await?.0).await });

    let client = Connection::new(Role::Initiator);
    let mut copies = Vec::new();
    for key in keys {
        let copy = Hypercore::builder(Storage::memory())
            .key(key)
            .open()
            .await?;
        client.add(&copy)?;
        copies.push(copy);
    }
    // Not live, so it ends when everything is here.
    let session = client.run(TcpStream::connect(address).await?).await?;
    assert!(session.finished && server.await?.finished);
    for copy in &copies {
        assert!(copy.has_range(0..1));
    }
    Ok(())
}
