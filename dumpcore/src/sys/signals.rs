//! Signals that wait for a thread which does not get to them.

use std::fs::File;
use std::io::{self, Read as _};

use super::raw;

/// Signals of the process that no thread has handled yet.
///
/// The system prefers to give a signal to the first thread, and a thread that
/// sits in a call which is not answered never gets to it. The signal waits for the
/// whole process then, and another thread can take it from here.
#[derive(Debug)]
pub struct WaitingSignals {
    descriptor: File,
}

impl WaitingSignals {
    /// Those of these numbers.
    ///
    /// # Errors
    /// What the system answered: one of the numbers is not a signal.
    pub fn new(numbers: &[i32]) -> io::Result<Self> {
        let descriptor = raw::signal_descriptor(numbers)?.into();
        Ok(Self { descriptor })
    }

    /// Waits for the next one and takes it, so that no other thread does. Its
    /// number.
    ///
    /// # Errors
    /// What the system answered.
    pub fn take(&mut self) -> io::Result<i32> {
        // The size of `struct signalfd_siginfo`, whose first field is the number.
        let mut info = [0_u8; 128];
        loop {
            match self.descriptor.read_exact(&mut info) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(()) => {
                    let [a, b, c, d, ..] = info;
                    return Ok(i32::from_ne_bytes([a, b, c, d]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signals_can_be_waited_for() {
        assert!(WaitingSignals::new(&[15]).is_ok());
        assert!(WaitingSignals::new(&[-1]).is_err());
    }
}
