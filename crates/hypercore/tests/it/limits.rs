//! Each limit of a connection: whoever goes beyond loses the connection, with a typed error, and an honest peer of the same feed
//! notices nothing.

use std::time::Duration;

use async_std::task;
use bytes::{BufMut, BytesMut};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future::yield_now};
use hypercore::{
    Connection, ConnectionLimits, Dialect, DiscoveryKey, Error, Hypercore, PeerError,
    ProtocolError, Role,
};
use wire::{Data, Message, Node, Options};

use crate::{
    duplex::duplex,
    pair::{assert_same, connect, reader_of, writer},
    raw::Raw,
};

/// How a connection with these limits ends on which a feed is open and the remote does as it likes. The attack gives the remote
/// back, which stays on the line: of one that has hung up the connection might notice just that.
async fn attacked<F: Future<Output = Raw>>(
    set: impl FnOnce(&mut ConnectionLimits),
    attack: impl FnOnce(Raw, Hypercore) -> F,
) -> ProtocolError {
    let feed = writer(12, Dialect::V8).await;
    let mut limits = ConnectionLimits::default();
    set(&mut limits);
    let connection = Connection::new(Role::Responder).live(true).limits(limits);
    connection.add(&feed).unwrap();
    let (left, right) = duplex(64 * 1024);
    let connection = task::spawn(connection.run(right));
    let honest = reader_of(&feed).await;
    let beside = connect(&honest, &feed, true);
    let mut remote = Raw::meet(Role::Initiator, left).await;
    remote.open(1, &feed.key()).await;
    while feed.peers().len() < 2 {
        yield_now().await;
    }
    let remote = attack(remote, feed.clone()).await;
    let error = connection.await.unwrap_err();
    drop(remote);
    feed.append("more").await.unwrap();
    assert_eq!(honest.get(12).await.unwrap(), "more");
    assert_same(&feed, &honest).await;
    drop(beside);
    match error {
        Error::Peer(PeerError::Protocol(error)) => error,
        error => panic!("{error:?}"),
    }
}

/// One of the limits.
type Limit = fn(&mut ConnectionLimits) -> &mut usize;

/// The beginning of a frame: how long it says it is, its channel and its type.
fn header(len: u64, channel: u64, kind: u64) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    for mut number in [len + 1, channel << 4 | kind] {
        while number >= 0x80 {
            bytes.put_u8(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.put_u8(number as u8);
    }
    bytes.to_vec()
}

#[test]
fn each_kind_of_message_has_a_length_that_holds_before_it_is_there() {
    task::block_on(async {
        let all: [(u64, Limit); 12] = [
            (0, |limits| &mut limits.messages.open),
            (1, |limits| &mut limits.messages.options),
            (2, |limits| &mut limits.messages.status),
            (3, |limits| &mut limits.messages.have),
            (4, |limits| &mut limits.messages.small),
            (5, |limits| &mut limits.messages.small),
            (6, |limits| &mut limits.messages.small),
            (7, |limits| &mut limits.messages.small),
            (8, |limits| &mut limits.messages.small),
            (9, |limits| &mut limits.messages.data),
            (10, |limits| &mut limits.messages.open),
            (15, |limits| &mut limits.messages.extension),
        ];
        for (kind, limit) in all {
            let mut before = ConnectionLimits::default();
            let default = *limit(&mut before);
            for max in [default, default + 1000] {
                let len = max as u64 + 1;
                let error = attacked(
                    |limits| *limit(limits) = max,
                    async |mut remote, _| {
                        remote.send_bytes(&header(len, 1, kind)).await;
                        remote
                    },
                );
                let error = error.await;
                let ProtocolError::Frame(wire::Error::FrameTooLong { max: said, .. }) = error
                else {
                    panic!("{kind}: {error:?}");
                };
                // The longest kind of all is refused by its length alone.
                assert!(
                    said == max || said == before.messages.data,
                    "{kind}: {error:?}"
                );
            }
        }
    });
}

#[test]
fn channel_numbers_extensions_and_nodes_have_their_limits() {
    task::block_on(async {
        let names = |names: &[&str]| {
            Message::Options(Options {
                extensions: names.iter().map(|name| (*name).to_owned()).collect(),
                ack: None,
            })
        };
        let error = attacked(
            |limits| limits.messages.max_channel = 5,
            async |mut remote, _| {
                remote.send_bytes(&header(0, 6, 10)).await;
                remote
            },
        );
        let error = error.await;
        let high = wire::Error::Channel { channel: 6, max: 5 };
        assert_eq!(error, ProtocolError::Frame(high));

        for channel in [0, 1] {
            let error = attacked(
                |limits| limits.messages.max_extensions = 2,
                async |mut remote, _| {
                    remote.send(channel, &names(&["a", "b", "c"])).await;
                    remote
                },
            );
            assert!(matches!(error.await, ProtocolError::Frame(_)));
            let error = attacked(
                |limits| limits.messages.max_extension_name = 3,
                async |mut remote, _| {
                    remote.send(channel, &names(&["long"])).await;
                    remote
                },
            );
            assert!(matches!(error.await, ProtocolError::Frame(_)));
        }
        let error = attacked(
            |limits| limits.messages.max_nodes = 2,
            async |mut remote, _| {
                let node = |index| Node {
                    index,
                    hash: [1; 32],
                    size: 1,
                };
                let data = Data {
                    nodes: (0..3).map(node).collect(),
                    ..Data::default()
                };
                remote.send(1, &Message::Data(data)).await;
                remote
            },
        );
        assert!(matches!(error.await, ProtocolError::Frame(_)));
    });
}

#[test]
fn answers_that_nobody_takes_have_a_limit() {
    task::block_on(async {
        // Each feed that it opens is refused, and it reads none of the refusals. The limit holds for what one read brings.
        let error = attacked(
            |limits| {
                limits.send_hard = 1000;
                limits.send_soft = 500;
                limits.unknown_feeds = 0;
                limits.messages.data = 1000;
            },
            async |mut remote, _| {
                let mut bytes = BytesMut::new();
                for n in 0..500_u64 {
                    let mut name = [0; 32];
                    name[..8].copy_from_slice(&n.to_le_bytes());
                    let open = wire::Open {
                        discovery_key: DiscoveryKey::new(name).to_bytes(),
                        capability: None,
                    };
                    Message::Open(open).encode_frame(n + 2, &mut bytes);
                }
                remote.send_bytes(&bytes).await;
                remote
            },
        );
        assert_eq!(error.await, ProtocolError::SendQueueFull);
    });
}

#[test]
fn a_handshake_has_a_length_and_a_time() {
    task::block_on(async {
        let feed = writer(3, Dialect::V8).await;
        let honest = reader_of(&feed).await;
        let run = |limits| {
            let connection = Connection::new(Role::Responder).limits(limits);
            connection.add(&feed).unwrap();
            let (left, right) = duplex(4096);
            (left, task::spawn(connection.run(right)))
        };
        let mut limits = ConnectionLimits::default();
        limits.handshake_message = 57;
        let (mut remote, connection) = run(limits);
        remote.write_all(&[58]).await.unwrap();
        let error = connection.await.unwrap_err();
        let (len, max) = (58, 57);
        let expected = ProtocolError::Handshake(noise::Error::MessageTooLong { len, max });
        assert!(matches!(error, Error::Peer(PeerError::Protocol(error)) if error == expected));

        let mut limits = ConnectionLimits::default();
        limits.handshake_timeout = Duration::from_millis(20);
        let (mut remote, connection) = run(limits);
        let error = connection.await.unwrap_err();
        assert_eq!(error.to_string(), "the handshake took too long");
        assert_eq!(remote.read(&mut [0]).await.unwrap(), 0);

        let (left, right) = connect(&honest, &feed, false);
        assert!(left.await.unwrap().finished && right.await.unwrap().finished);
    });
}

#[test]
fn a_feed_has_to_be_opened_and_closed_in_time() {
    task::block_on(async {
        for opens in [false, true] {
            let feed = writer(3, Dialect::V8).await;
            let mut limits = ConnectionLimits::default();
            limits.answer_timeout = Duration::from_millis(20);
            // A live connection waits for the Open as long as it takes, and so does the feed.
            let connection = Connection::new(Role::Responder).limits(limits).live(opens);
            connection.add(&feed).unwrap();
            let handle = connection.handle();
            let (left, right) = duplex(4096);
            let connection = task::spawn(connection.run(right));
            let mut remote = Raw::meet(Role::Initiator, left).await;
            if opens {
                remote.open(1, &feed.key()).await;
                while !feed.peers().iter().any(hypercore::Peer::is_open) {
                    yield_now().await;
                }
                handle.remove(&feed).unwrap();
            }
            let error = connection.await.unwrap_err();
            let expected = match opens {
                false => ProtocolError::OpenTimeout,
                true => ProtocolError::CloseTimeout,
            };
            assert!(matches!(error, Error::Peer(PeerError::Protocol(error)) if error == expected));
        }
    });
}

#[test]
fn with_one_message_a_turn_everything_arrives_as_well() {
    task::block_on(async {
        let feed = writer(200, Dialect::V8).await;
        let copy = reader_of(&feed).await;
        let mut limits = ConnectionLimits::default();
        limits.messages_per_turn = 1;
        let ends =
            [Role::Initiator, Role::Responder].map(|role| Connection::new(role).limits(limits));
        ends[0].add(&copy).unwrap();
        ends[1].add(&feed).unwrap();
        let (left, right) = duplex(64 * 1024);
        let [a, b] = ends;
        let server = task::spawn(b.run(right));
        assert!(a.run(left).await.unwrap().finished && server.await.unwrap().finished);
        assert_same(&feed, &copy).await;
    });
}
