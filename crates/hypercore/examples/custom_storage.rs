//! Files of one's own: here all feeds of a program in one map, as a database would hold them.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hypercore::{File, Hypercore, OpenContext, RandomAccess, Storage, StorageError};

/// Stands in for the database: bytes by the name of the feed and of the file.
type Table = BTreeMap<(String, File), Vec<u8>>;

#[derive(Clone, Debug, Default)]
struct Database(Arc<Mutex<Table>>);

/// One file of one feed.
#[derive(Debug)]
struct Row {
    database: Database,
    name: (String, File),
}

impl Database {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of one feed. The closure is asked for each of its six files; nothing is created before the first write.
    fn feed(&self, name: &str) -> Storage {
        let (database, name) = (self.clone(), name.to_owned());
        Storage::custom(move |file: File, _: &OpenContext| {
            let row = Row {
                database: database.clone(),
                name: (name.clone(), file),
            };
            Ok(Box::new(row) as Box<dyn RandomAccess>)
        })
    }
}

impl RandomAccess for Row {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<usize, StorageError> {
        let table = self.database.table();
        let bytes = table.get(&self.name).map_or(&[][..], Vec::as_slice);
        let bytes = bytes.get(offset as usize..).unwrap_or_default();
        let len = bytes.len().min(out.len());
        out[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<(), StorageError> {
        let mut table = self.database.table();
        let bytes = table.entry(self.name.clone()).or_default();
        let (start, new) = (offset as usize, parts.concat());
        let end = start + new.len();
        bytes.resize(bytes.len().max(end), 0);
        bytes[start..end].copy_from_slice(&new);
        Ok(())
    }

    fn len(&self) -> Result<u64, StorageError> {
        let table = self.database.table();
        Ok(table.get(&self.name).map_or(0, Vec::len) as u64)
    }

    fn truncate(&self, len: u64) -> Result<(), StorageError> {
        if let Some(bytes) = self.database.table().get_mut(&self.name) {
            bytes.truncate(len as usize);
        }
        Ok(())
    }

    fn clear(&self, range: Range<u64>) -> Result<(), StorageError> {
        if let Some(bytes) = self.database.table().get_mut(&self.name) {
            if range.end >= bytes.len() as u64 {
                bytes.truncate(range.start as usize);
            } else {
                bytes[range.start as usize..range.end as usize].fill(0);
            }
        }
        Ok(())
    }

    /// A real one would commit its transaction here.
    fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn destroy(&self) -> Result<(), StorageError> {
        self.database.table().remove(&self.name);
        Ok(())
    }
}

#[async_std::main]
async fn main() -> hypercore::Result<()> {
    let database = Database::default();
    let feed = Hypercore::open(database.feed("weather")).await?;
    feed.append_batch(["kept", "elsewhere"]).await?;
    feed.close().await?;

    let feed = Hypercore::open(database.feed("weather")).await?;
    assert!(feed.is_writable());
    assert_eq!(feed.get(1).await?, "elsewhere");
    assert_eq!(database.table().len(), 6);
    assert!(feed.deep_audit().await?.is_clean());

    feed.destroy().await?;
    assert!(database.table().is_empty());
    Ok(())
}
