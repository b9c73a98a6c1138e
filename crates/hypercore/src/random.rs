//! Randomness from the system: the only place where the workspace asks for it.

use crate::{Error, Result};

/// `N` bytes fit for keys.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Randomness)?;
    Ok(bytes)
}
