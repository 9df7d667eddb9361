//! A helper of tests: the work on a list grows in proportion to it.

use std::time::Instant;

/// The longer input has this many times the items of the shorter one.
const TIMES: usize = 16;
/// The most that the time per item may grow, compared with the time to copy the input, which is subject to the same caches: it would
/// grow [`TIMES`]-fold with a search per item.
const MOST: f64 = 5.0;
/// Other programs delay a run, so the fastest of several counts, and an attempt that exceeds the limit is repeated.
const RUNS: usize = 2;
const ATTEMPTS: usize = 6;

/// Fails if the work per item grows with the number of items, in every attempt.
///
/// # Panics
///
/// When it does.
#[track_caller]
pub fn assert_linear<T: Clone>(items: usize, input: impl Fn(usize) -> T, work: impl Fn(&T)) {
    let (short, long) = (input(items), input(items * TIMES));
    let share = |input: &T| seconds(|| work(input)) / seconds(|| drop(input.clone()));
    let mut attempts = Vec::new();
    while attempts.len() < ATTEMPTS {
        attempts.push(share(&long) / share(&short));
        if attempts.iter().any(|growth| *growth < MOST) {
            return;
        }
    }
    panic!("with {TIMES} times the items, the time per item has grown, in every attempt: {attempts:.1?}-fold");
}

/// The seconds of the fastest run.
fn seconds(run: impl Fn()) -> f64 {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}
