//! How much memory there is in use, counted by the allocator itself.

use std::{
    alloc::System,
    sync::atomic::{AtomicUsize, Ordering},
};

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The most that was seen since [`start`].
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// What nothing may go beyond, not even for the time of one call: above it the allocator has no more, which ends the process.
const MOST_EVER: usize = 512 * 1024 * 1024;

/// Begins to watch. What is in use by now.
pub(crate) fn start() -> usize {
    ALLOCATOR
        .set_limit(MOST_EVER)
        .expect("less than that is in use");
    let now = in_use();
    PEAK.store(now, Ordering::Relaxed);
    now
}

pub(crate) fn in_use() -> usize {
    ALLOCATOR.allocated()
}

/// Has a look.
pub(crate) fn look() {
    PEAK.fetch_max(in_use(), Ordering::Relaxed);
}

pub(crate) fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}
