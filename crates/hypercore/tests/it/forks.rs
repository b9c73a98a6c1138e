//! One key, two writers: who meets both has blocks of one only, can show the other to anybody, and goes on.

use async_std::task;
use futures_lite::StreamExt;
use hypercore::{
    Dialect, Error, Event, Fork, ForkPolicy, Hypercore, KeyPair, PeerError, Role, Storage,
};

use crate::{
    duplex::duplex,
    pair::{assert_same, connect, exchange},
};

/// Two feeds of one key, alike up to a length.
async fn branches(dialect: Dialect, common: u64, lengths: [u64; 2]) -> [Hypercore; 2] {
    let secret = KeyPair::from_seed([7; 32]).secret().clone();
    let mut feeds = Vec::new();
    for (name, length) in ["one", "other"].into_iter().zip(lengths) {
        let builder = Hypercore::builder(Storage::memory()).dialect(dialect);
        let feed = builder.secret_key(secret.clone()).open().await.unwrap();
        for block in 0..length {
            let name = if block < common { "common" } else { name };
            feed.append(format!("{name} {block}")).await.unwrap();
        }
        feeds.push(feed);
    }
    feeds.try_into().unwrap()
}

async fn copy(feed: &Hypercore, sparse: bool, policy: ForkPolicy) -> Hypercore {
    let builder = Hypercore::builder(Storage::memory()).key(feed.key());
    let builder = builder.dialect(feed.dialect()).sparse(sparse);
    builder.fork_policy(policy).open().await.unwrap()
}

/// Connects a reader with a writer of the other history, until it sees that.
async fn meets(reader: &Hypercore, other: &Hypercore) -> Fork {
    let (left, right) = duplex(16 * 1024);
    let server = task::spawn(
        other
            .replicate(Role::Responder, right)
            .live(true)
            .into_future(),
    );
    let met = reader.replicate(Role::Initiator, left).live(true).await;
    let _ = server.await;
    match met {
        Err(Error::Peer(PeerError::Fork { fork, .. })) => fork.as_ref().clone(),
        met => panic!("{met:?}"),
    }
}

#[test]
fn a_reader_that_meets_two_writers_keeps_the_first_and_reports_both() {
    for dialect in [Dialect::V8, Dialect::V9] {
        for (common, lengths) in [
            (0, [3, 5]),
            (4, [5, 9]),
            (6, [8, 20]),
            (2, [3, 4]),
            (0, [1, 2]),
        ] {
            task::block_on(async {
                let [one, other] = branches(dialect, common, lengths).await;
                let reader = copy(&one, false, ForkPolicy::Strict).await;
                exchange(&reader, &one).await;

                let mut events = reader.events();
                let fork = meets(&reader, &other).await;
                assert!(fork.verify(&reader.key()).is_ok());
                assert_eq!(
                    (fork.ours().length(), fork.theirs().length()),
                    lengths.into()
                );
                assert_eq!(Fork::from_bytes(&fork.to_bytes()).as_ref(), Ok(&fork));
                let told = loop {
                    match events.next().await {
                        Some(Event::Fork { fork, peer }) => break (fork.as_ref().clone(), peer),
                        Some(_) => {}
                        None => panic!("it isn't told"),
                    }
                };
                assert!(told.0 == fork && told.1.is_some());

                // The same once more is no other fork.
                meets(&reader, &other).await;
                assert_eq!(reader.forks(), [fork]);
                assert_same(&one, &reader).await;

                // Everything goes on with the first.
                one.append("more").await.unwrap();
                exchange(&reader, &one).await;
                assert_same(&one, &reader).await;
            });
        }
    }
}

#[test]
fn branches_of_equal_length_and_shorter_ones_are_met_as_soon_as_a_block_is_fetched() {
    for dialect in [Dialect::V8, Dialect::V9] {
        for (lengths, known, wanted) in [
            ([6, 6], 5, 0),
            ([6, 6], 0, 5),
            ([8, 8], 7, 6),
            ([9, 9], 3, 8),
        ] {
            task::block_on(async {
                let [one, other] = branches(dialect, 0, lengths).await;
                let reader = copy(&one, true, ForkPolicy::Strict).await;
                let first = connect(&reader, &one, true);
                reader.get(known).await.unwrap();
                first.0.cancel().await;
                first.1.cancel().await;
                let waiting = task::spawn(reader.get(wanted).into_future());
                let fork = meets(&reader, &other).await;
                assert!(fork.verify(&reader.key()).is_ok());
                assert!(!reader.has(wanted));
                let _again = connect(&reader, &one, true);
                assert_eq!(waiting.await.unwrap(), format!("one {wanted}"));
            });
        }
    }
}

#[test]
fn another_history_comes_in_no_sooner_beside_the_first_than_alone() {
    for dialect in [Dialect::V8, Dialect::V9] {
        task::block_on(async {
            let [one, other] = branches(dialect, 3, [40, 60]).await;
            // Which of the two is first is a matter of chance. Whoever has all of the longer one asks the other for nothing more.
            let reader = copy(&one, false, ForkPolicy::Strict).await;
            let _connections = (connect(&reader, &one, true), connect(&reader, &other, true));
            reader.download(0..40).await.unwrap();
            let kept = match reader.len() {
                40 => &one,
                _ => &other,
            };
            reader.download(0..kept.len()).await.unwrap();
            assert_same(kept, &reader).await;
            for fork in reader.forks() {
                assert_eq!(fork.verify(&reader.key()), Ok(()));
            }
        });
    }
}

#[test]
fn what_contradicts_is_refused_under_the_lax_policy_too_and_reported() {
    task::block_on(async {
        let [one, other] = branches(Dialect::V8, 0, [8, 8]).await;
        let reader = copy(&one, true, ForkPolicy::Compat).await;
        reader
            .put(one.proof(2).await.unwrap(), Some("one 2".into()))
            .await
            .unwrap();
        let put = reader
            .put(other.proof(5).await.unwrap(), Some("other 5".into()))
            .await;
        assert!(put.unwrap_err().is_fork());
        assert_eq!((reader.downloaded(..), reader.forks().len()), (1, 1));
    });
}

#[test]
fn two_writers_see_that_the_other_claims_what_was_never_signed() {
    task::block_on(async {
        let [one, other] = branches(Dialect::V8, 2, [4, 6]).await;
        let _connection = connect(&one, &other, true);
        // Neither fetches anything, unless it is told to.
        one.set_downloading(true);
        let mut events = one.events();
        while one.forks().is_empty() {
            events.next().await.unwrap();
        }
        assert_eq!(one.len(), 4);
        assert_eq!(one.get(3).await.unwrap(), "one 3");
    });
}
