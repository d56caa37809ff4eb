//! The clock that stamps inodes, and whether it was set.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::model::metadata::Time;
use crate::policy::touched::Clock;

/// Looks at the clocks.
pub(crate) fn look() -> Clock {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    let since_boot = nanos(clock_gettime(ClockId::Boottime));
    let ahead = nanos(clock_gettime(ClockId::Realtime)) - since_boot;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    Clock {
        now: Time::from_nanos(nanos(now)),
        ahead,
        boot: boot.unwrap_or_default().trim().to_owned(),
    }
}

fn nanos(time: Timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_after_a_look_is_stamped_no_earlier() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        for number in 0..50 {
            let first = look();
            let path = dir.path().join(number.to_string());
            std::fs::write(&path, "").expect("written");
            let file = std::fs::File::open(&path).expect("opened");
            let stamped = super::super::stat::look_at(&file).expect("stat").ctime;
            assert!(stamped >= first.now, "{stamped:?} after {first:?}");
            let second = look();
            assert!((second.ahead - first.ahead).abs() < 1_000_000_000);
            assert_eq!(second.boot, first.boot);
        }
    }
}
