//! Reading a block that is stored here.

use std::ops::Range;

use bytes::Bytes;
use feed::{Portion, RangeRead};

use crate::{Error, Result, core::Core};

/// The block, checked against the tree, or none if it isn't stored here.
///
/// # Errors
/// [`Error::Disk`](crate::Error::Disk) if reading fails, [`Error::Feed`](crate::Error::Feed) if what was read doesn't
/// match the tree.
pub(crate) fn read_local(core: &Core, block: u64) -> Result<Option<Bytes>> {
    if !core.has(block) {
        return Ok(None);
    }
    let place = match core.place(block) {
        // Since a moment.
        Err(Error::Feed(feed::Error::NotStored { .. })) => return Ok(None),
        place => place?,
    };
    let mut bytes = core.files().read(&[place.read()])?;
    Ok(Some(place.finish(bytes.pop().unwrap_or_default())?))
}

/// Blocks in a row, each checked against the tree, or none if one of them isn't stored here.
///
/// # Errors
/// As [`read_local`].
pub(crate) fn read_local_range(core: &Core, blocks: Range<u64>) -> Result<Option<Vec<Bytes>>> {
    let mut read = Vec::new();
    let mut next = blocks.start;
    while next < blocks.end {
        let Some(unchecked) = read_unchecked(core, next..blocks.end, Portion::MAX)? else {
            return Ok(None);
        };
        next += unchecked.blocks();
        read.extend(unchecked.check()?);
    }
    Ok(Some(read))
}

/// Reads the first blocks of a range, or none if one of the range isn't stored here. There is at least one, unless the range is
/// empty.
///
/// # Errors
/// As [`read_local`].
pub(crate) fn read_unchecked(
    core: &Core,
    blocks: Range<u64>,
    portion: Portion,
) -> Result<Option<Unchecked>> {
    let plan = match core.read(|feed| match feed.bitfield().has_blocks(blocks.clone()) {
        true => feed.plan_get_range(blocks).map(Some),
        false => Ok(None),
    })? {
        Some(plan) => plan,
        None => return Ok(None),
    };
    let place = plan.locate_portion(&core.read_nodes(plan.reads())?, portion)?;
    let mut bytes = core.files().read(&[place.read()])?;
    Ok(Some(Unchecked {
        bytes: bytes.pop().unwrap_or_default(),
        place,
    }))
}

/// Blocks that were read, and are still to be compared with their hashes.
pub(crate) struct Unchecked {
    place: RangeRead,
    bytes: Bytes,
}

impl Unchecked {
    /// How many blocks.
    pub(crate) fn blocks(&self) -> u64 {
        let blocks = self.place.blocks();
        blocks.end - blocks.start
    }

    /// How many bytes they have.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// # Errors
    /// [`Error::Feed`](crate::Error::Feed) if one of them isn't what the tree says.
    pub(crate) fn check(self) -> Result<Vec<Bytes>> {
        Ok(self.place.finish(self.bytes)?)
    }
}
