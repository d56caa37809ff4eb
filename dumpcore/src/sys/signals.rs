//! Which threads signals come to.

use std::io;

use super::raw;

/// Keeps these signals from the calling thread, and from all threads that it
/// starts from now on: they come to another one, that was started before.
///
/// The system prefers to give a signal to the first thread, and a thread that
/// sits in a call which is not answered never gets to it. A program that
/// handles signals in a thread of its own calls this when that thread has been
/// started. Commands inherit it, see [`with_signals`].
///
/// # Errors
/// What the system answered: one of the numbers is not a signal.
pub fn leave_signals_to_others(numbers: &[i32]) -> io::Result<()> {
    raw::block_signals(numbers, true).map(drop)
}

/// Does something in the calling thread with these signals let through: a command
/// that is started then gets them.
///
/// # Errors
/// What the system answered: one of the numbers is not a signal. Then nothing was
/// done.
pub fn with_signals<T>(numbers: &[i32], act: impl FnOnce() -> T) -> io::Result<T> {
    let before = raw::block_signals(numbers, false)?;
    let done = act();
    raw::restore_signals(&before)?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_goes_to_the_thread_that_takes_it() {
        // In a thread of the test's own, whose mask ends with it.
        std::thread::spawn(|| {
            let is_blocked = || {
                let status = std::fs::read_to_string("/proc/thread-self/status").expect("mounted");
                let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
                let mask = u64::from_str_radix(mask.expect("told").trim(), 16).expect("a number");
                mask & 1 << 9 != 0
            };
            leave_signals_to_others(&[10]).expect("blocked");
            assert!(is_blocked());
            assert!(!with_signals(&[10], is_blocked).expect("let through"));
            assert!(is_blocked());
        })
        .join()
        .expect("no panic");
        assert!(leave_signals_to_others(&[-1]).is_err());
    }
}
