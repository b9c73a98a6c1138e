//! What is done with feeds: everything but connecting them.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_std::task;
use data_encoding::{BASE64, HEXLOWER};
use futures_lite::StreamExt;
use hypercore::{
    Binary, Dialect, Download, DownloadRequest, Event, Events, Extension, Hypercore, PublicKey,
    Storage,
};
use serde_json::{Value, json};

use crate::{Result, order::Order};

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(3);

/// How many blocks are appended at a time to fill a feed.
const BATCH: u64 = 8192;

/// The feeds it holds.
#[derive(Default)]
pub(crate) struct Feeds {
    held: Mutex<BTreeMap<String, Arc<Held>>>,
    downloads: Mutex<BTreeMap<String, Download>>,
}

/// One of them.
pub(crate) struct Held {
    pub(crate) feed: Hypercore,
    dir: PathBuf,
    seen: Mutex<Seen>,
    extensions: Mutex<BTreeMap<String, Extension<Binary>>>,
}

/// What its events told.
#[derive(Default)]
struct Seen {
    acks: Vec<u64>,
    downloads: Vec<u64>,
    uploads: u64,
    /// Gets that had to wait.
    waits: u64,
    /// By the name of the extension.
    messages: BTreeMap<String, Vec<String>>,
}

impl Feeds {
    pub(crate) async fn obey(&self, order: &Order) -> Result {
        match order.verb()? {
            "open" => return self.open(order).await,
            "done" => return self.done(order).await,
            "undownload" => {
                let download = self.take_download(order)?;
                download.cancel();
                return Ok(json!({}));
            }
            _ => {}
        }
        let held = self.named(order.text("feed")?)?;
        let feed = &held.feed;
        match order.verb()? {
            "append" => {
                feed.append_batch(order.many_bytes("blocks")?).await?;
                Ok(json!({ "length": feed.len() }))
            }
            "fill" => held.fill(order).await,
            "finalize" => Ok(json!({ "key": feed.finalize().await?.to_string() })),
            "info" => Ok(held.info()),
            "wait" => held.wait(order).await,
            "get" => held.get(order).await,
            "seek" => {
                let (block, offset) = feed.seek(order.amount("byte")?).await?;
                Ok(json!({ "block": block, "offset": offset }))
            }
            "update" => held.update(order).await,
            "head" => held.head(order).await,
            "download" => {
                let download = feed.download(range(order)?);
                let mut downloads = lock(&self.downloads);
                downloads.insert(order.text("as")?.into(), download);
                Ok(json!({}))
            }
            "cancel" => {
                feed.cancel_range(order.amount("start")?..order.amount("end")?);
                Ok(json!({}))
            }
            "clear" => {
                let blocks = order.amount("start")?..order.amount("end")?;
                feed.clear(blocks).await?;
                Ok(json!({}))
            }
            "lose" => held.lose(order.amount("byte")?),
            "audit" => {
                let report = feed.deep_audit().await?;
                match report.is_clean() {
                    true => Ok(json!({ "valid": report.valid })),
                    false => Err(format!("{report:?}").into()),
                }
            }
            "downloading" => {
                feed.set_downloading(order.flag("yes", true));
                Ok(json!({}))
            }
            "uploading" => {
                feed.set_uploading(order.flag("yes", true));
                Ok(json!({}))
            }
            "extension" => held.register(order.text("name")?),
            "broadcast" => held.broadcast(order),
            "messages" => held.messages(order).await,
            "close" => {
                feed.close().await?;
                Ok(json!({}))
            }
            verb => Err(format!("nobody knows how to {verb}").into()),
        }
    }

    pub(crate) fn named(&self, name: &str) -> Result<Arc<Held>> {
        let held = lock(&self.held).get(name).cloned();
        held.ok_or_else(|| format!("there is no feed {name}").into())
    }

    pub(crate) async fn close_all(&self) -> Result<()> {
        let held = std::mem::take(&mut *lock(&self.held));
        for one in held.values() {
            one.feed.close().await?;
        }
        Ok(())
    }

    async fn open(&self, order: &Order) -> Result {
        let dir = PathBuf::from(order.text("dir")?);
        let mut builder = Hypercore::builder(Storage::directory(&dir))
            .sparse(order.flag("sparse", false))
            .eager_update(order.flag("eager", false))
            .static_feed(order.flag("static", false))
            .dialect(dialect(order.text("dialect")?)?);
        if let Some(key) = order.text_or_none("key") {
            builder = builder.key(key.parse::<PublicKey>()?);
        }
        if let Some(requests) = order.amount_or_none("requests") {
            builder = builder.max_requests(requests as usize);
        }
        if let Some(time) = order.amount_or_none("request_timeout") {
            builder = builder.request_timeout(Some(Duration::from_millis(time)));
        }
        let held = Arc::new(Held {
            feed: builder.open().await?,
            dir,
            seen: Mutex::default(),
            extensions: Mutex::default(),
        });
        task::spawn(watch(Arc::clone(&held), held.feed.events()));
        lock(&self.held).insert(order.text("feed")?.into(), Arc::clone(&held));
        Ok(held.info())
    }

    async fn done(&self, order: &Order) -> Result {
        self.take_download(order)?.await?;
        Ok(json!({}))
    }

    fn take_download(&self, order: &Order) -> Result<Download> {
        let name = order.text("as")?;
        let download = lock(&self.downloads).remove(name);
        download.ok_or_else(|| format!("there is no download {name}").into())
    }
}

impl Held {
    /// Appends blocks that say which they are, up to a length.
    async fn fill(&self, order: &Order) -> Result {
        let (until, size) = (order.amount("length")?, order.amount("size")? as usize);
        while self.feed.len() < until {
            let start = self.feed.len();
            let blocks = start..until.min(start + BATCH);
            let blocks = blocks.map(|block| format!("{block:0size$}"));
            self.feed.append_batch(blocks).await?;
        }
        Ok(self.info())
    }

    fn info(&self) -> Value {
        let (feed, seen) = (&self.feed, lock(&self.seen));
        json!({
            "key": feed.key().to_string(),
            "length": feed.len(),
            "byte_length": feed.byte_len(),
            "tree_hash": HEXLOWER.encode(feed.tree_hash().as_bytes()),
            "have": feed.downloaded(0..feed.len()),
            "remote_length": feed.remote_len(),
            "peers": feed.peers().len(),
            "acks": seen.acks,
            "downloads": seen.downloads,
            "uploads": seen.uploads,
            "waits": seen.waits,
        })
    }

    /// Waits until a number of `info`, or the length of a list in it, is as large as it is to be.
    async fn wait(&self, order: &Order) -> Result {
        let (what, least) = (order.text("what")?, order.amount("least")?);
        loop {
            let info = self.info();
            let now = match &info[what] {
                Value::Array(list) => Some(list.len() as u64),
                value => value.as_u64(),
            };
            if now.ok_or("no number")? >= least {
                return Ok(info);
            }
            task::sleep(LOOK).await;
        }
    }

    async fn get(self: &Arc<Self>, order: &Order) -> Result {
        let waits = order.amounts("blocks").into_iter().map(|block| {
            let held = Arc::clone(self);
            let get = self.feed.get(block).wait(order.flag("wait", true));
            let mut get = get.on_wait(move |_| lock(&held.seen).waits += 1);
            if order.flag("if_available", false) {
                get = get.if_available();
            }
            if let Some(time) = order.amount_or_none("timeout") {
                get = get.timeout(Duration::from_millis(time));
            }
            task::spawn(async move { get.await })
        });
        let mut data = Vec::new();
        for wait in waits.collect::<Vec<_>>() {
            data.push(BASE64.encode(&wait.await?));
        }
        Ok(json!({ "data": data }))
    }

    async fn update(&self, order: &Order) -> Result {
        let mut update = self.feed.update().with_block(order.flag("block", false));
        if let Some(length) = order.amount_or_none("length") {
            update = update.min_length(length);
        }
        if order.flag("if_available", false) {
            update = update.if_available();
        }
        update.await?;
        Ok(self.info())
    }

    /// The last block, of a longer feed.
    async fn head(&self, order: &Order) -> Result {
        let mut head = self.feed.head().update(true);
        if let Some(length) = order.amount_or_none("length") {
            head = head.min_length(length);
        }
        Ok(json!({ "data": [BASE64.encode(&head.await?)] }))
    }

    /// Spoils a byte of the data file behind the feed's back, so that the block with it is lost.
    fn lose(&self, byte: u64) -> Result {
        let mut data = OpenOptions::new().write(true).open(self.dir.join("data"))?;
        data.seek(SeekFrom::Start(byte))?;
        data.write_all(&[0xff])?;
        Ok(json!({}))
    }

    fn register(self: &Arc<Self>, name: &str) -> Result {
        let extension = self.feed.extension(name, Binary)?;
        let mut messages = extension.messages();
        lock(&self.extensions).insert(name.into(), extension);
        let (held, name) = (Arc::clone(self), name.to_owned());
        task::spawn(async move {
            while let Some(message) = messages.next().await {
                let text = match message {
                    Ok((_, bytes)) => BASE64.encode(&bytes),
                    Err(error) => error.to_string(),
                };
                let mut seen = lock(&held.seen);
                seen.messages.entry(name.clone()).or_default().push(text);
            }
        });
        Ok(json!({}))
    }

    fn broadcast(&self, order: &Order) -> Result {
        let extensions = lock(&self.extensions);
        let name = order.text("name")?;
        let extension = extensions.get(name).ok_or("no such extension")?;
        let peers = extension.broadcast(order.bytes("data")?)?;
        Ok(json!({ "peers": peers }))
    }

    /// The messages of an extension, once there are so many of them.
    async fn messages(&self, order: &Order) -> Result {
        let (name, least) = (order.text("name")?, order.amount("least")?);
        loop {
            let messages = lock(&self.seen).messages.get(name).cloned();
            let messages = messages.unwrap_or_default();
            if messages.len() as u64 >= least {
                return Ok(json!({ "data": messages }));
            }
            task::sleep(LOOK).await;
        }
    }
}

/// Notes what a feed tells.
async fn watch(held: Arc<Held>, mut events: Events) {
    while let Some(event) = events.next().await {
        let mut seen = lock(&held.seen);
        match event {
            Event::Ack { block, .. } => seen.acks.push(block),
            Event::Download { block, .. } => seen.downloads.push(block),
            Event::Upload { .. } => seen.uploads += 1,
            _ => {}
        }
    }
}

pub(crate) fn dialect(text: &str) -> Result<Dialect> {
    match text {
        "8" => Ok(Dialect::V8),
        "9" => Ok(Dialect::V9),
        _ => Err(format!("{text} is no dialect").into()),
    }
}

fn range(order: &Order) -> Result<DownloadRequest> {
    if !order.list("blocks").is_empty() {
        return Ok(DownloadRequest::blocks(order.amounts("blocks")));
    }
    let blocks = order.amount("start")?..order.amount("end")?;
    Ok(match order.flag("linear", false) {
        true => DownloadRequest::linear(blocks),
        false => blocks.into(),
    })
}

/// Nothing in here panics while it holds a lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
