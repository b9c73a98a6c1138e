//! A peer that tells the truth about hashes and lies about sizes: of two blocks side by side the tree covers only the sum.

use async_std::task;
use futures_lite::AsyncReadExt;
use hypercore::{Dialect, Hypercore, Role, Storage};
use wire::Message;

use crate::{
    duplex::duplex,
    pair::{connect, reader_of},
    relay::relay,
};

const BLOCKS: [&str; 8] = ["ab", "cdef", "g", "hijklm", "no", "pqr", "stuv", "w"];

/// A writer, and a sparse copy that hears of it only through somebody who shifts sizes from one block of a pair to the other.
async fn poisoned(dialect: Dialect) -> (Hypercore, Hypercore, task::JoinHandle<()>) {
    let storage = Storage::memory();
    let writer = Hypercore::builder(storage).dialect(dialect).open().await;
    let writer = writer.unwrap();
    writer.append_batch(BLOCKS).await.unwrap();
    let reader = Hypercore::builder(Storage::memory()).key(writer.key());
    let reader = reader.dialect(dialect).sparse(true).open().await.unwrap();
    let (reader_end, to_reader) = duplex(64 * 1024);
    let (to_writer, writer_end) = duplex(64 * 1024);
    let serving = writer.replicate(Role::Responder, writer_end).live(true);
    task::spawn(serving.into_future());
    let reading = reader.replicate(Role::Initiator, reader_end).live(true);
    task::spawn(reading.into_future());
    let (key, dialect) = (writer.key(), writer.dialect());
    let shift = |mut message| {
        if let Message::Data(data) = &mut message
            && data.value.is_none()
            && let [leaf, sibling, ..] = &mut data.nodes[..]
            && sibling.size > 0
        {
            leaf.size += 1;
            sibling.size -= 1;
        }
        vec![message]
    };
    let middle = task::spawn(relay(key, dialect, to_reader, to_writer, shift));
    (writer, reader, middle)
}

#[test]
fn after_shifted_sizes_both_blocks_come_from_an_honest_peer_and_every_byte_is_found() {
    for dialect in [Dialect::V8, Dialect::V9] {
        task::block_on(async {
            let (writer, reader, middle) = poisoned(dialect).await;
            // The search ends in the pair, wherever the peer says that it is.
            for byte in 1..writer.byte_len() {
                let (told, _) = reader.seek(byte).await.unwrap();
                let (block, _) = writer.seek(byte).await.unwrap();
                assert_eq!(told & !1, block & !1);
            }
            assert_eq!(reader.downloaded(..), 0);
            middle.cancel().await;

            let _connection = connect(&reader, &writer, true);
            for (block, text) in (0..).zip(BLOCKS) {
                assert_eq!(reader.get(block).await.unwrap(), text);
            }
            for byte in 0..=writer.byte_len() {
                assert_eq!(
                    reader.seek(byte).await.unwrap(),
                    writer.seek(byte).await.unwrap()
                );
            }
            // And what is known for certain is handed on.
            let other = reader_of(&reader).await;
            let _connection = connect(&other, &reader, true);
            assert_eq!(other.get_range(0..8).await.unwrap(), BLOCKS);
            assert_eq!(other.byte_len(), writer.byte_len());
        });
    }
}

#[test]
fn shifted_sizes_put_no_byte_of_the_feed_in_another_place() {
    task::block_on(async {
        let whole = BLOCKS.concat();
        for start in 0..whole.len() as u64 {
            let (_writer, reader, _middle) = poisoned(Dialect::V8).await;
            reader.update().await.unwrap();
            let mut text = String::new();
            reader
                .bytes(start..)
                .read_to_string(&mut text)
                .await
                .unwrap();
            assert_eq!(text, whole[start as usize..]);
        }
    });
}
