//! Plan 9 style dumps.
