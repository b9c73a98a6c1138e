//! Reading a block that is stored here.

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
