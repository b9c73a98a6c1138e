//! Arithmetic of a binary tree laid on a line.
