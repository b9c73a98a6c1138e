//! Streams come apart the same in whatever pieces, messages are read as they are written, and codes mean what they say.

use bytes::{Bytes, BytesMut};
use wire::{
    Decoder, Error, Frame, Kind, Limits, Message, NoisePayload, rle_decode, rle_decode_bytes,
    rle_encode, varint,
};

/// The first byte is a type, the rest a body. What is read is written as something that is read the same and is no longer.
pub fn wire_message(data: &[u8]) {
    if let Ok(payload) = NoisePayload::decode(data) {
        assert_eq!(NoisePayload::decode(&payload.encode()), Ok(payload));
    }
    let Some((number, body)) = data.split_first() else {
        return;
    };
    let Some(kind) = Kind::from_number(number & 15) else {
        return;
    };
    let limits = Limits::default();
    let Ok(message) = Message::decode(kind, Bytes::copy_from_slice(body), &limits) else {
        return;
    };
    assert_eq!(message.kind(), kind);
    let mut again = BytesMut::new();
    message.encode(&mut again);
    assert_eq!(again.len(), message.encoded_len());
    assert!(again.len() <= body.len());
    let again = again.freeze();
    assert_eq!(
        Message::decode(kind, again.clone(), &limits).as_ref(),
        Ok(&message)
    );

    let mut frame = BytesMut::new();
    message.encode_frame(u64::from(number >> 4), &mut frame);
    let (frames, error) = split([&frame]);
    if again.len() <= limits.body(Some(kind)) {
        assert_eq!((frames.len(), error), (1, None));
        assert_eq!(frames[0].channel, u64::from(number >> 4));
        assert_eq!((frames[0].kind, &frames[0].body), (Some(kind), &again));
    } else {
        assert!(frames.is_empty() && matches!(error, Some(Error::FrameTooLong { .. })));
    }
}

/// The first byte says how long the pieces are, the rest is a stream.
pub fn wire_frames(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else {
        return;
    };
    let whole = split([stream]);
    let pieces = split(stream.chunks(usize::from(piece % 37) + 1));
    assert_eq!(pieces, whole);
    let limits = Limits::default();
    let fits = |frame: &Frame| {
        frame.body.len() <= limits.body(frame.kind) && frame.channel <= limits.max_channel
    };
    assert!(whole.0.iter().all(fits));
    let bodies: usize = whole.0.iter().map(|frame| frame.body.len()).sum();
    assert!(bodies <= stream.len());
}

fn split(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Vec<Frame>, Option<Error>) {
    let mut decoder = Decoder::new(Limits::default());
    let (mut frames, mut fed) = (Vec::new(), 0);
    for piece in pieces {
        decoder.extend(piece.as_ref());
        fed += piece.as_ref().len();
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        // What was announced takes no memory, only what has come.
        assert!(decoder.buffered() <= fed);
        assert!(decoder.buffer().capacity() <= 2 * fed + 1024);
    }
    (frames, None)
}

/// The first three bytes are how many bits a code may stand for, the rest is a code, and then bits.
pub fn wire_rle(data: &[u8]) {
    let Some((max, rest)) = data.split_first_chunk::<3>() else {
        return;
    };
    let max = u64::from(u32::from_be_bytes([0, max[0], max[1], max[2]])) & 0xf_ffff;
    let naive = naive(rest, max);
    assert_eq!(rle_decode_bytes(rest, max).ok(), naive);
    let runs = rle_decode(rest, max).map(|runs| runs.collect::<Vec<_>>());
    match (&runs, &naive) {
        (Ok(runs), Some(bytes)) => {
            assert!(runs.iter().all(|run| !run.is_empty()));
            assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            assert!(runs.iter().cloned().flatten().eq(bits_of(bytes)));
        }
        (Err(_), None) => {}
        _ => panic!("the runs say {runs:?}, the bytes {naive:?}"),
    }

    let code = rle_encode(rest);
    assert!(code.len() <= 2 * rest.len());
    let mut decoded = rle_decode_bytes(&code, 8 * rest.len() as u64).expect("it was just encoded");
    assert!(decoded.last() != Some(&0));
    decoded.resize(rest.len(), 0);
    assert_eq!(decoded, rest);
}

/// The code by the letter of its description, byte by byte; none if it is damaged or too long.
fn naive(mut code: &[u8], max_bits: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while !code.is_empty() {
        let (value, len) = naive_varint(code)?;
        code = &code[len..];
        let repeated = (value & 1 == 1).then_some(if value & 2 == 2 { 0xff } else { 0 });
        let len = value >> if repeated.is_some() { 2 } else { 1 };
        for _ in 0..len {
            out.push(match repeated {
                Some(byte) => byte,
                None => *code.split_off_first()?,
            });
            if out.len() as u64 > max_bits.div_ceil(8) {
                return None;
            }
        }
    }
    Some(out)
}

fn bits_of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let set = |bit: &u64| bytes[*bit as usize / 8] & (128 >> (bit % 8)) != 0;
    (0..8 * bytes.len() as u64).filter(set)
}

/// Any bytes are read as by 128-bit arithmetic; the first eight, as a number, are written and read again.
pub fn wire_varint(data: &[u8]) {
    match (varint::read(data), naive_varint(data)) {
        (Ok(Some((value, len))), Some((naive, naive_len))) => {
            assert_eq!((u128::from(value), len), (naive, naive_len));
            assert!(varint::len(value) <= len);
        }
        // More may come.
        (Ok(None), None) => assert!(data.len() < varint::MAX_LEN),
        (Err(_), None) => assert!(data.len() >= varint::MAX_LEN),
        (read, naive) => panic!("{read:?} is not {naive:?}"),
    }
    let Some(bytes) = data.first_chunk::<8>() else {
        return;
    };
    for shift in 0..64 {
        let value = u64::from_be_bytes(*bytes) >> shift;
        let mut out = Vec::new();
        varint::write(value, &mut out);
        assert_eq!(out.len(), varint::len(value));
        assert_eq!(varint::read(&out), Ok(Some((value, out.len()))));
    }
}

/// None if it doesn't end, is longer than ten bytes or holds more than 64 bits.
fn naive_varint(bytes: &[u8]) -> Option<(u128, usize)> {
    let last = bytes.iter().position(|byte| *byte < 0x80)?;
    let bits = |(at, byte): (usize, &u8)| u128::from(byte & 0x7f) << (7 * at);
    let value = bytes
        .get(..10.min(last + 1))?
        .iter()
        .enumerate()
        .map(bits)
        .sum();
    (last < 10 && value <= u128::from(u64::MAX)).then_some((value, last + 1))
}
