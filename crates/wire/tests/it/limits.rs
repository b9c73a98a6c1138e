//! Nothing is kept for what is only announced, and what is too much is refused when its header is there.

use bytes::{BufMut, BytesMut};
use hypercore_wire::{Decoder, Error, Kind, Limits, Message, NoisePayload, varint};

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint::write(value, &mut bytes);
    bytes
}

fn header(len: u64, channel: u64, kind: u8) -> Vec<u8> {
    let header = varint(channel << 4 | u64::from(kind));
    [varint(len + header.len() as u64), header].concat()
}

fn first(bytes: &[u8]) -> Result<Option<hypercore_wire::Frame>, Error> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.extend(bytes);
    decoder.next()
}

#[test]
fn each_type_has_its_own_limit_which_holds_before_the_body_comes() {
    let limits = Limits::default();
    for number in 0..16 {
        let kind = Kind::from_number(number);
        let max = limits.body(kind) as u64;
        assert_eq!(first(&header(max, 1, number)), Ok(None), "{kind:?}");
        let error = first(&header(max + 1, 1, number));
        assert!(
            matches!(error, Err(Error::FrameTooLong { .. })),
            "{kind:?}: {error:?}"
        );
    }
}

#[test]
fn absurd_lengths_are_refused_at_the_length() {
    for len in [1 << 31, 1 << 40, (1 << 53) - 1, u64::MAX] {
        let error = first(&varint(len));
        assert!(
            matches!(error, Err(Error::FrameTooLong { .. })),
            "{len}: {error:?}"
        );
    }
}

#[test]
fn an_announced_length_costs_nothing() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.extend(&header(8_000_000, 1, 9));
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.buffer().capacity() < 1024);
}

#[test]
fn the_memory_of_a_large_frame_goes_with_the_frame() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.extend(&header(8_000_000, 1, 9));
    decoder.extend(&vec![7; 8_000_000]);
    // The next frame has begun already.
    decoder.extend(&header(3, 1, 9));
    let frame = decoder.next().unwrap().unwrap();
    assert_eq!(frame.body.len(), 8_000_000);
    // Whoever holds the only handle of some memory may take it back; there is none to share.
    assert!(frame.body.is_unique());
    drop(frame);
    decoder.extend(b"abc");
    assert_eq!(decoder.next().unwrap().unwrap().body, &b"abc"[..]);
    decoder.extend(&[0; 100]);
    assert!(decoder.buffer().capacity() < 1024);
}

#[test]
fn an_endless_varint_is_refused_at_its_eleventh_byte() {
    for len in 0..10 {
        assert_eq!(first(&vec![0xff; len]), Ok(None), "{len}");
    }
    for len in [10, 12, 30, 2000] {
        assert_eq!(first(&vec![0xff; len]), Err(Error::VarintTooLong), "{len}");
    }
}

#[test]
fn varints_of_every_length_are_read_as_they_are_written() {
    for value in (0..64)
        .flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift])
        .chain([u64::MAX])
    {
        let bytes = varint(value);
        assert_eq!(varint::len(value), bytes.len());
        assert_eq!(varint::read(&bytes), Ok(Some((value, bytes.len()))));
        assert_eq!(varint::read(&bytes[..bytes.len() - 1]), Ok(None));
        // A longer form than needed means the same, up to ten bytes.
        let mut longer = bytes.clone();
        while longer.len() < varint::MAX_LEN {
            *longer.last_mut().unwrap() |= 0x80;
            longer.push(0);
            assert_eq!(varint::read(&longer), Ok(Some((value, longer.len()))));
        }
        *longer.last_mut().unwrap() |= 0x80;
        longer.push(0);
        assert_eq!(varint::read(&longer), Err(Error::VarintTooLong));
    }
    // The tenth byte has room for one bit.
    let large = [&[0xff; 9][..], &[0x02]].concat();
    assert_eq!(varint::read(&large), Err(Error::VarintTooLong));
}

#[test]
fn a_frame_shorter_than_its_header_is_refused() {
    // A header of two bytes in a frame of one.
    assert_eq!(first(&[1, 0x90, 0x01]), Err(Error::FrameTooShort));
}

#[test]
fn high_channels_are_refused() {
    // As high as JavaScript's arithmetic goes.
    assert!(first(&header(0, (1 << 27) - 1, 10)).is_ok());
    for channel in [1 << 27, 1 << 31, 1 << 45] {
        let error = first(&header(0, channel, 10));
        assert!(matches!(error, Err(Error::Channel { .. })), "{channel}");
    }
}

#[test]
fn types_without_meaning_are_passed_on_as_such() {
    let frame = first(&[&header(3, 1, 12)[..], b"abc"].concat())
        .unwrap()
        .unwrap();
    assert_eq!((frame.kind, &frame.body[..]), (None, &b"abc"[..]));
}

#[test]
fn too_many_nodes_and_names_are_refused() {
    let node = [&[0x1a, 38, 0x08, 1, 0x12, 32][..], &[7; 32], &[0x18, 3]].concat();
    let mut body = BytesMut::from(&[0x08, 1][..]);
    for _ in 0..128 {
        body.put_slice(&node);
    }
    let limits = Limits::default();
    assert!(Message::decode(Kind::Data, body.clone().freeze(), &limits).is_ok());
    body.put_slice(&node);
    let error = Message::decode(Kind::Data, body.freeze(), &limits);
    assert_eq!(error, Err(Error::TooMany { max: 128 }));

    let names: Vec<u8> = std::iter::repeat_n([0x0a, 1, b'x'], 65).flatten().collect();
    let error = Message::decode(Kind::Options, names.into(), &limits);
    assert_eq!(error, Err(Error::TooMany { max: 64 }));
    let long = [&[0x0a, 0x81, 0x01][..], &[b'x'; 129]].concat();
    assert!(Message::decode(Kind::Options, long.into(), &limits).is_err());
}

#[test]
fn numbers_that_javascript_cannot_hold_are_refused() {
    let limits = Limits::default();
    let body = |value| [&[0x08][..], &varint(value)].concat().into();
    assert!(Message::decode(Kind::Want, body((1 << 53) - 1), &limits).is_ok());
    for value in [1 << 53, u64::MAX] {
        let error = Message::decode(Kind::Want, body(value), &limits);
        assert_eq!(error, Err(Error::NumberTooLarge { value }));
    }
    // A digest is bits.
    let request = [&[0x08, 1, 0x20][..], &varint(u64::MAX)].concat();
    assert!(Message::decode(Kind::Request, request.into(), &limits).is_ok());
}

#[test]
fn an_empty_extension_message_is_refused() {
    let limits = Limits::default();
    let error = Message::decode(Kind::Extension, vec![].into(), &limits);
    assert_eq!(error, Err(Error::Truncated));
    let error = Message::decode(Kind::Extension, vec![0x80].into(), &limits);
    assert_eq!(error, Err(Error::Truncated));
}

#[test]
fn keys_hashes_signatures_and_nonces_have_exactly_their_length() {
    let limits = Limits::default();
    let field =
        |number: u8, len: usize| [&[number << 3 | 2, len as u8][..], &vec![7; len]].concat();
    let node = |len| {
        let node = [&[0x08, 1][..], &field(2, len), &[0x18, 3]].concat();
        [&[0x08, 0, 0x1a, node.len() as u8][..], &node].concat()
    };
    type Body<'a> = &'a dyn Fn(usize) -> Vec<u8>;
    let bodies: [(Kind, usize, Body<'_>); 5] = [
        (Kind::Open, 32, &|len| field(1, len)),
        (Kind::Open, 32, &|len| {
            [field(1, 32), field(2, len)].concat()
        }),
        (Kind::Close, 32, &|len| field(1, len)),
        (Kind::Data, 32, &node),
        (Kind::Data, 64, &|len| {
            [vec![0x08, 0], field(4, len)].concat()
        }),
    ];
    for (kind, expected, body) in bodies {
        for len in [0, 1, expected - 1, expected, expected + 1, 2 * expected - 1] {
            let read = Message::decode(kind, body(len).into(), &limits);
            match read {
                Ok(_) => assert_eq!(len, expected, "{kind:?}"),
                Err(error) => {
                    assert!(matches!(error, Error::Length { len: is, .. } if is == len));
                    assert_ne!(len, expected, "{kind:?}");
                }
            }
        }
    }
    for len in [0, 23, 24, 25, 64] {
        let nonce = NoisePayload::decode(&field(1, len));
        assert_eq!(nonce.is_ok(), len == 24, "{nonce:?}");
    }
}
