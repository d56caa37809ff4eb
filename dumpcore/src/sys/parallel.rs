//! Looking at many things at once, where each look is a call or two.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, Builder};

/// With fewer, starting threads takes longer than looking.
const FEW: usize = 256;

/// Does something with each, by as many threads as there are processors, and
/// returns what came of it in the same order.
pub(crate) fn in_parallel<T: Sync, R: Send>(all: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = match all.len() {
        ..FEW => 1,
        _ => thread::available_parallelism().map_or(2, NonZero::get),
    };
    let part = all.len().div_ceil(threads).max(1);
    if part >= all.len() {
        return all.iter().map(act).collect();
    }
    thread::scope(|scope| {
        let act = &act;
        let each = move |part: &[T]| part.iter().map(act).collect::<Vec<R>>();
        let started: Vec<_> = all
            .chunks(part)
            .map(|part| (part, Builder::new().spawn_scoped(scope, move || each(part))))
            .collect();
        let ended = started.into_iter().map(|(part, started)| match started {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // No more threads are allowed: then this one does it.
            Err(_) => each(part),
        });
        ended.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_each_is_in_its_place() {
        for number in [0, 1, FEW - 1, FEW, 10 * FEW + 7] {
            let all: Vec<usize> = (0..number).collect();
            let doubled: Vec<usize> = all.iter().map(|one| one * 2).collect();
            assert_eq!(in_parallel(&all, |one| one * 2), doubled, "{number}");
        }
    }
}
