//! Giving way: what a program asks of the scheduler and of the disks.

use std::io;

use super::raw;

/// Gives way to everybody else on the machine: the calling thread, and all
/// threads and processes that it starts from now on, get processors and disks
/// only when nobody else wants them (`SCHED_IDLE`, and the idle class of I/O,
/// which some I/O schedulers, such as `none`, do not look at).
///
/// For a program to call once, early, in its main thread; there is no way
/// back that every user is allowed. Both are asked for even when the first is
/// refused.
///
/// # Errors
/// What the system answered: a container may forbid both.
pub fn give_way() -> io::Result<()> {
    let disks = raw::set_idle_disk_class();
    raw::set_idle_scheduling().and(disks)
}
