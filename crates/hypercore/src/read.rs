//! Reading a block that is stored here.

use std::ops::Range;

use bytes::Bytes;

use crate::{Result, core::Core};

/// The block, checked against the tree, or none if it isn't stored here.
///
/// # Errors
/// [`Error::Disk`](crate::Error::Disk) if reading fails, [`Error::Feed`](crate::Error::Feed) if what was read doesn't
/// match the tree.
pub(crate) fn read_local(core: &Core, block: u64) -> Result<Option<Bytes>> {
    let plan = match core.read(|feed| match feed.bitfield().has_block(block) {
        true => feed.plan_get(block).map(Some),
        false => Ok(None),
    })? {
        Some(plan) => plan,
        None => return Ok(None),
    };
    let nodes = core.read_nodes(plan.reads())?;
    let place = plan.locate(&nodes)?;
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
        let rest = next..blocks.end;
        let plan = match core.read(|feed| match feed.bitfield().has_blocks(rest.clone()) {
            true => feed.plan_get_range(rest).map(Some),
            false => Ok(None),
        })? {
            Some(plan) => plan,
            None => return Ok(None),
        };
        let located = plan.locate(&core.read_nodes(plan.reads())?)?;
        let mut bytes = core.files().read(&[located.read()])?;
        read.extend(located.finish(bytes.pop().unwrap_or_default())?);
        next = located.blocks().end;
    }
    Ok(Some(read))
}
