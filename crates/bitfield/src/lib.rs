//! Sparse bits: paged bitfields in the SLEEP layout, and sets of ranges.
