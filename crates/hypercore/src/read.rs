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
        let Some(place) = find_portion(core, next..blocks.end, Portion::MAX)? else {
            return Ok(None);
        };
        next = place.blocks().end;
        read.extend(place.finish(read_portion(core, &place)?)?);
    }
    Ok(Some(read))
}

/// Where the first blocks of a range are, or none if one of the range isn't stored here. There is at least one, unless the range is
/// empty.
///
/// # Errors
/// As [`read_local`].
pub(crate) fn find_portion(
    core: &Core,
    blocks: Range<u64>,
    portion: Portion,
) -> Result<Option<RangeRead>> {
    let plan = match core.read(|feed| match feed.bitfield().has_blocks(blocks.clone()) {
        true => feed.plan_get_range(blocks).map(Some),
        false => Ok(None),
    })? {
        Some(plan) => plan,
        None => return Ok(None),
    };
    let nodes = core.read_nodes(plan.reads())?;
    Ok(Some(plan.locate_portion(&nodes, portion)?))
}

/// The bytes of blocks in a row, which are still to be compared with their hashes.
///
/// # Errors
/// [`Error::Disk`](crate::Error::Disk).
pub(crate) fn read_portion(core: &Core, place: &RangeRead) -> Result<Bytes> {
    let mut bytes = core.files().read(&[place.read()])?;
    Ok(bytes.pop().unwrap_or_default())
}
