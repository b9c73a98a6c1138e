//! The secret key in a device: it signs, and never gives the key away.

use async_channel::{Sender, bounded, unbounded};
use hypercore::{
    BoxError, BoxFuture, Dialect, Hypercore, KeyPair, PublicKey, Signable, Signature, Signer,
    Storage,
};

/// What is to be signed, and where the signature goes.
type Order = (Signable, Dialect, Sender<Signature>);

/// The way to the device.
#[derive(Debug)]
struct Device {
    orders: Sender<Order>,
}

impl Device {
    /// Plugs it in. Here it is a thread. A smart card or an agent is asked over its own wire: it gets the bytes that
    /// `signable.to_bytes(dialect)` gives, and signs them by Ed25519.
    fn connect(seed: [u8; 32]) -> (Device, PublicKey) {
        let (orders, received) = unbounded::<Order>();
        let pair = KeyPair::from_seed(seed);
        let public = pair.public();
        std::thread::spawn(move || {
            while let Ok((signable, dialect, answer)) = received.recv_blocking() {
                // The program may not wait any longer.
                let _ = answer.send_blocking(pair.sign(&signable, dialect));
            }
        });
        (Device { orders }, public)
    }
}

impl Signer for Device {
    fn sign(
        &self,
        signable: &Signable,
        dialect: Dialect,
    ) -> BoxFuture<Result<Signature, BoxError>> {
        let (orders, signable) = (self.orders.clone(), *signable);
        Box::pin(async move {
            let (sender, signature) = bounded(1);
            orders.send((signable, dialect, sender)).await?;
            Ok(signature.recv().await?)
        })
    }
}

#[async_std::main]
async fn main() -> hypercore::Result<()> {
    let (device, key) = Device::connect([7; 32]);
    let feed = Hypercore::builder(Storage::memory())
        .key(key)
        .signer(device)
        .open()
        .await?;
    assert!(feed.is_writable());

    // The device is asked once, however many blocks are appended together.
    assert_eq!(feed.append_batch(["sunny", "rain", "fog"]).await?, 0..3);

    // The signature is one like any other.
    let signed = feed.signature(0)?;
    assert_eq!(signed.block, 2);
    assert!(feed.verify(signed.block, &signed.signature)?);
    Ok(())
}
