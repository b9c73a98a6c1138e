//! Where on the stack several inputs are hashed side by side.

use core::{hint::black_box, mem::MaybeUninit};

/// Calls `work` with the stack at the beginning of a page, so that what it keeps there lies in one page.
///
/// The vectors for which there are no registers are kept on the stack, which isn't aligned to their size. Where the end of a page
/// runs through one that is used in every round, the processor takes almost twice as long for all of it: with hashing of four
/// blocks at a time, that is one stack depth in twenty, and which one of them a caller meets changes with every build.
#[inline(never)]
pub(crate) fn in_one_page<T>(work: impl FnOnce() -> T) -> T {
    let page = MaybeUninit::<Page>::uninit();
    // It is there because something might look at it.
    black_box(&page);
    work()
}

/// As large as a page of most machines. Where they are larger, it ends at the end of one less often.
#[repr(align(4096))]
struct Page(#[expect(dead_code, reason = "it takes up room")] u8);
