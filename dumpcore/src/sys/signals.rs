//! Which threads signals come to.

use std::io;

use super::raw;

/// Keeps these signals from the calling thread, and from all threads that it
/// starts from now on: they come to another one, that was started before.
///
/// The system prefers to give a signal to the first thread, and a thread that
/// sits in a call which is not answered never gets to it. A program that
/// handles signals in a thread of its own calls this when that thread has been
/// started. Commands started by [`std::process::Command`] are not affected.
///
/// # Errors
/// What the system answered: one of the numbers is not a signal.
pub fn leave_signals_to_others(numbers: &[i32]) -> io::Result<()> {
    raw::block_signals(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_goes_to_the_thread_that_takes_it() {
        // In a thread of the test's own, whose mask ends with it.
        std::thread::spawn(|| {
            leave_signals_to_others(&[10]).expect("blocked");
            let status = std::fs::read_to_string("/proc/thread-self/status").expect("mounted");
            let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
            let mask = u64::from_str_radix(mask.expect("told").trim(), 16).expect("a number");
            assert_eq!(mask & 1 << 9, 1 << 9, "{mask:x}");
        })
        .join()
        .expect("no panic");
        assert!(leave_signals_to_others(&[-1]).is_err());
    }
}
