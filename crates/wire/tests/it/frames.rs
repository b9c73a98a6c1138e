//! A stream comes apart the same way whatever pieces it arrives in.

use bytes::BytesMut;
use hypercore_wire::{Data, Decoder, Error, Frame, Have, Limits, Message, Request};
use proptest::prelude::*;

fn split(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Vec<Frame>, Option<Error>) {
    let mut decoder = Decoder::new(Limits::default());
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.extend(piece.as_ref());
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let message = prop_oneof![
        (any::<u32>(), any::<u64>()).prop_map(|(index, nodes)| Message::Request(Request {
            index: index.into(),
            nodes: Some(nodes),
            ..Request::default()
        })),
        any::<u32>().prop_map(|start| Message::Have(Have {
            start: start.into(),
            ..Have::default()
        })),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(|value| Message::Data(Data {
            index: 3,
            value: Some(value.into()),
            ..Data::default()
        })),
    ];
    prop::collection::vec((message, 0..200u64, 0..3usize), 0..8).prop_map(|messages| {
        let mut bytes = BytesMut::new();
        for (message, channel, pings) in messages {
            message.encode_frame(channel, &mut bytes);
            bytes.extend_from_slice(&vec![0; pings]);
        }
        bytes.to_vec()
    })
}

proptest! {
    #[test]
    fn honest_streams_in_any_pieces(bytes in stream(), piece in 1..50usize) {
        let whole = split([&bytes]);
        prop_assert!(whole.1.is_none());
        prop_assert_eq!(split(bytes.chunks(piece)), whole);
    }

    #[test]
    fn any_bytes_in_any_pieces(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1..9usize) {
        // A broken stream may be found out earlier or later, never differently.
        let whole = split([&bytes]);
        prop_assert_eq!(split(bytes.chunks(piece)), whole);
    }

    #[test]
    fn a_body_that_is_read_is_written_as_one_that_is_read_the_same(
        number in 0..16u8,
        body in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let limits = Limits::default();
        let Some(kind) = hypercore_wire::Kind::from_number(number) else { return Ok(()) };
        if let Ok(message) = Message::decode(kind, body.into(), &limits) {
            let mut again = BytesMut::new();
            message.encode(&mut again);
            prop_assert_eq!(Message::decode(kind, again.freeze(), &limits), Ok(message));
        }
    }
}
