//! The end of a static feed: its tree hash becomes its key.

use alloc::boxed::Box;

use bytes::Bytes;
use storage::{Batch, File};

use crate::{Commit, Error, Event, Feed, Kind, feed::static_key};

impl Feed {
    /// Makes the commit that ends a static feed, which then has its key, can be copied, and can't grow. There
    /// is nothing to read for that.
    ///
    /// # Errors
    /// [`Error::Finalized`] if that is done; [`Error::NotWritable`] if it isn't a static feed; [`Error::ReadOnly`].
    pub fn commit_finalize(&self) -> Result<Commit, Error> {
        self.check_changes()?;
        match self.kind {
            Kind::Live => return Err(Error::NotWritable),
            Kind::Static => return Err(Error::Finalized),
            Kind::Unfinished => {}
        }
        let key = static_key(&self.roots);
        let mut batch = Batch::new();
        // The key says that all else is there.
        batch.barrier();
        batch.write(File::Key, 0, Bytes::copy_from_slice(key.as_bytes()));
        batch.barrier();
        Ok(Commit {
            batch,
            changes: self.bitfield.draft().finish(),
            roots: self.roots.clone(),
            kind: Kind::Static,
            learnt: Box::default(),
            notes: self.notes.clone(),
            events: [Event::Finalized { key }].into(),
        })
    }
}
