//! Programs that have a say: who may write what, who signs, who verifies.

use std::sync::{Arc, Mutex};

use async_std::task;
use bytes::Bytes;
use hypercore::{
    BoxError, BoxFuture, Dialect, Error, FeedError, Hypercore, KeyPair, PublicKey, Signable,
    Signature, Signer, Source, Storage, Verifier,
};

use crate::pair::{assert_same, connect, exchange, reader_of, writer};

type Seen = Arc<Mutex<Vec<(u64, Bytes, Source)>>>;

/// A hook that notes what it sees and refuses blocks that begin with an exclamation mark.
fn picky(seen: &Seen) -> impl Fn(u64, Bytes, Source) -> BoxFuture<Result<(), BoxError>> + use<> {
    let seen = Arc::clone(seen);
    move |block, bytes, source| {
        seen.lock().unwrap().push((block, bytes.clone(), source));
        Box::pin(async move {
            task::yield_now().await;
            match bytes.first() {
                Some(b'!') => Err("no shouting".into()),
                _ => Ok(()),
            }
        })
    }
}

/// A feed on which that hook is.
async fn hooked(seen: &Seen) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory()).on_write(picky(seen));
    builder.open().await.unwrap()
}

/// A copy on which that hook is.
async fn hooked_copy(writer: &Hypercore, seen: &Seen) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory())
        .key(writer.key())
        .on_write(picky(seen));
    builder.open().await.unwrap()
}

#[test]
fn the_hook_sees_encoded_blocks_under_their_numbers_and_refuses_whole_calls() {
    task::block_on(async {
        let seen = Seen::default();
        let feed = hooked(&seen).await;
        let hex = feed.typed::<hypercore::Hex>();
        hex.append_batch(["61", "62"]).await.unwrap();
        let refused = hex.append_batch(["63", "21"]).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        assert_eq!((feed.len(), feed.byte_len()), (2, 2));
        assert_eq!(hex.append("64").await.unwrap(), 2);
        let seen = seen.lock().unwrap();
        let numbered: Vec<(u64, &[u8])> =
            seen.iter().map(|(n, bytes, _)| (*n, &bytes[..])).collect();
        assert_eq!(
            numbered,
            [(0, &b"a"[..]), (1, b"b"), (2, b"c"), (3, b"!"), (2, b"d")]
        );
        assert!(seen.iter().all(|(.., source)| *source == Source::Local));
    });
}

#[test]
fn calls_that_wait_together_are_refused_one_by_one() {
    task::block_on(async {
        let seen = Seen::default();
        let feed = hooked(&seen).await;
        let calls: Vec<_> = (0..20)
            .map(|n| {
                let feed = feed.clone();
                let text = if n % 3 == 0 {
                    format!("!{n}")
                } else {
                    format!("{n}")
                };
                task::spawn(async move { (n, feed.append(text).await) })
            })
            .collect();
        for call in calls {
            let (n, result) = call.await;
            match result {
                Ok(block) => assert_eq!(feed.get(block).await.unwrap(), n.to_string()),
                Err(Error::Refused(_)) => assert_eq!(n % 3, 0),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(feed.len(), 13);
    });
}

#[test]
fn a_call_that_is_dropped_while_the_hook_decides_holds_up_nobody() {
    task::block_on(async {
        let (open, gate) = async_channel::bounded::<()>(1);
        let hook = move |_, _, _| {
            let gate = gate.clone();
            async move { Ok(gate.recv().await?) }
        };
        let feed = Hypercore::builder(Storage::memory())
            .on_write(hook)
            .open()
            .await
            .unwrap();
        let second = {
            let first = feed.append("first");
            let second = feed.append("second");
            futures_lite::pin!(first);
            let mut second = Box::pin(second);
            // The first leads and waits for the hook, the second waits for the first, which is then dropped.
            assert!(
                futures_lite::future::poll_once(first.as_mut())
                    .await
                    .is_none()
            );
            assert!(
                futures_lite::future::poll_once(second.as_mut())
                    .await
                    .is_none()
            );
            second
        };
        open.send(()).await.unwrap();
        assert_eq!(second.await.unwrap(), 0);
        assert_eq!(feed.get(0).await.unwrap(), "second");
    });
}

#[test]
fn a_reader_that_refuses_a_block_ends_the_connection_and_stores_nothing() {
    task::block_on(async {
        let writer = writer(0, Dialect::V8).await;
        writer.append_batch(["fine", "!loud"]).await.unwrap();
        let seen = Seen::default();
        let reader = hooked_copy(&writer, &seen).await;
        let (client, server) = connect(&reader, &writer, false);
        let refused = client.await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        let _ = server.await;
        assert!(!reader.has(1));
        for (.., source) in seen.lock().unwrap().iter() {
            assert!(matches!(
                source,
                Source::Peer {
                    remote_public_key: Some(_)
                }
            ));
        }
    });
}

#[test]
fn a_copy_does_not_get_longer_by_a_block_that_is_refused() {
    task::block_on(async {
        let writer = writer(0, Dialect::V8).await;
        writer.append("!loud").await.unwrap();
        let seen = Seen::default();
        let reader = hooked_copy(&writer, &seen).await;
        let proof = writer.proof(0).await.unwrap();
        let refused = reader.put(proof, Some("!loud".into())).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        assert_eq!((reader.len(), reader.downloaded(..)), (0, 0));
        assert_eq!(seen.lock().unwrap().len(), 1);
    });
}

#[derive(Debug)]
struct Device {
    pair: KeyPair,
    broken: bool,
}

impl Signer for Device {
    fn sign(
        &self,
        signable: &Signable,
        dialect: Dialect,
    ) -> BoxFuture<Result<Signature, BoxError>> {
        let signature = self.pair.sign(signable, dialect);
        let broken = self.broken;
        Box::pin(async move {
            task::yield_now().await;
            match broken {
                true => Err("unplugged".into()),
                false => Ok(signature),
            }
        })
    }
}

async fn signed_by(device: Device, key: PublicKey, dialect: Dialect) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory())
        .key(key)
        .signer(device)
        .dialect(dialect);
    builder.open().await.unwrap()
}

#[test]
fn a_device_signs_and_any_reader_accepts_it() {
    for dialect in [Dialect::V8, Dialect::V9] {
        task::block_on(async {
            let pair = KeyPair::from_seed([4; 32]);
            let device = Device {
                pair: pair.clone(),
                broken: false,
            };
            let feed = signed_by(device, pair.public(), dialect).await;
            assert!(feed.is_writable());
            feed.append_batch(["a", "b"]).await.unwrap();
            let reader = reader_of(&feed).await;
            exchange(&reader, &feed).await;
            assert_same(&feed, &reader).await;
        });
    }
}

#[test]
fn without_a_good_signature_nothing_is_appended() {
    task::block_on(async {
        let pair = KeyPair::from_seed([4; 32]);
        let device = Device {
            pair: pair.clone(),
            broken: true,
        };
        let feed = signed_by(device, pair.public(), Dialect::V8).await;
        assert!(matches!(feed.append("a").await, Err(Error::Signer(_))));
        assert_eq!(feed.len(), 0);

        // The key of another feed.
        let device = Device {
            pair,
            broken: false,
        };
        let feed = signed_by(device, KeyPair::from_seed([5; 32]).public(), Dialect::V8).await;
        let refused = feed.append("a").await;
        assert!(
            matches!(refused, Err(Error::Feed(FeedError::Signature(_)))),
            "{refused:?}"
        );
        assert_eq!(feed.len(), 0);
    });
}

/// Knows the author by other means, or doesn't.
#[derive(Debug)]
struct Notary {
    answer: Result<bool, &'static str>,
}

impl Verifier for Notary {
    fn verify(
        &self,
        _: &Signable,
        _: &Signature,
        _: &PublicKey,
    ) -> BoxFuture<Result<bool, BoxError>> {
        let answer = self.answer;
        Box::pin(async move { Ok(answer?) })
    }
}

#[test]
fn the_verifier_decides_in_place_of_the_key() {
    for (answer, stored) in [(Ok(true), 3), (Ok(false), 0), (Err("asleep"), 0)] {
        task::block_on(async {
            let writer = writer(3, Dialect::V8).await;
            let reader = Hypercore::builder(Storage::memory())
                .key(writer.key())
                .verifier(Notary { answer })
                .open()
                .await
                .unwrap();
            let (client, server) = connect(&reader, &writer, false);
            let result = client.await;
            let _ = server.await;
            assert_eq!(reader.len(), stored, "{answer:?}: {result:?}");
            match answer {
                Ok(true) => assert!(result.is_ok()),
                Ok(false) => assert!(result.unwrap_err().is_verification()),
                Err(_) => assert!(matches!(result, Err(Error::Verifier(_)))),
            }
        });
    }
}
