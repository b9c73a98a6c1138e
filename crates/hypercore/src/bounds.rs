//! What may go to another thread, checked while compiling: all that a program holds, and every call that it awaits.

use std::time::Duration;

use futures_lite::future::FutureExt;

use crate::{
    AsyncStd, Binary, Builder, ByteReader, ByteWriter, Connection, ConnectionEvents,
    ConnectionHandle, ConnectionMessages, Download, Error, Events, Extension, Gate, Hypercore,
    Json, Messages, Pass, Peer, PeerError, ReadStream, Session, Stats, Storage, Utf8, WriteSink,
};

fn shared<T: Send + Sync + 'static>() {}
fn cloned<T: Clone + Send + Sync + 'static>() {}
fn moved<T: Send + 'static>() {}

#[test]
fn handles_and_what_they_give_may_go_to_any_thread() {
    cloned::<Hypercore>();
    cloned::<Hypercore<Utf8>>();
    cloned::<Hypercore<Json<Vec<u64>>>>();
    cloned::<Peer>();
    cloned::<ConnectionHandle>();
    cloned::<Gate>();
    cloned::<Error>();
    cloned::<PeerError>();
    cloned::<Session>();
    cloned::<Stats>();
    cloned::<AsyncStd>();
    shared::<Extension<Utf8>>();
    shared::<Download>();
    moved::<Builder>();
    moved::<Storage>();
    moved::<Connection>();
    moved::<Pass>();
    moved::<Events>();
    moved::<ConnectionEvents>();
    moved::<Messages<Utf8>>();
    moved::<ConnectionMessages<Utf8>>();
    moved::<ReadStream<Binary>>();
    moved::<WriteSink<Binary, &'static str>>();
    moved::<ByteReader>();
    moved::<ByteWriter>();
}

#[cfg(feature = "blocking")]
#[test]
fn so_may_the_handles_of_the_face_without_async() {
    cloned::<crate::blocking::Hypercore>();
    cloned::<crate::blocking::Hypercore<Json<Vec<u64>>>>();
    moved::<crate::blocking::Iter<ReadStream<Binary>>>();
    moved::<crate::blocking::ByteWriter>();
    moved::<crate::blocking::Download>();
}

#[test]
fn calls_may_be_awaited_by_tasks_that_move_between_threads() {
    async fn calls(feed: Hypercore) -> crate::Result<()> {
        feed.append("a").await?;
        feed.append_batch(["a"]).await?;
        feed.get(0).timeout(Duration::ZERO).await?;
        feed.get_range(0..1).await?;
        feed.head().await?;
        feed.update().await?;
        feed.seek(0).await?;
        feed.download(0..1).await?;
        let proof = feed.proof(0).await?;
        feed.put(proof, None).await?;
        feed.clear(0..1).await?;
        feed.audit().await?;
        feed.sync().await?;
        feed.finalize().await?;
        feed.close().await?;
        feed.destroy().await
    }
    fn task(feed: Hypercore) -> impl Future<Output = crate::Result<()>> + Send + 'static {
        calls(feed).boxed()
    }
    let _: fn(Hypercore) -> _ = task;
}
