//! Nothing is ever lost: `dump`'s programs under faults, attacks and bad
//! luck. See `docs/RELIABILITY.md` for what each test shows.
