//! The log as plans and commits: open, append, get, put, prove.
