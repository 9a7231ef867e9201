//! Rounds in which each subject takes its turn, and the clocks of the processor's time.

use std::io;

use rustix::time::{ClockId, clock_gettime};

use crate::record::Record;

/// What is measured: a name, and what one turn gives, as metrics and values.
pub(crate) struct Subject<'a> {
    name: &'static str,
    turn: Box<dyn FnMut() -> Vec<(&'static str, f64)> + 'a>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(name: &'static str, turn: impl FnMut() -> Vec<(&'static str, f64)> + 'a) -> Subject<'a> {
        Subject { name, turn: Box::new(turn) }
    }

    /// One that does the same `times` times in a turn, of which the thread's time for one is told.
    pub(crate) fn repeated(name: &'static str, times: u32, mut work: impl FnMut() + 'a) -> Subject<'a> {
        Subject::new(name, move || {
            let (from, allocated) = (thread_nanos(), crate::allocations::count());
            (0..times).for_each(|_| work());
            let (nanos, allocated) = (thread_nanos() - from, crate::allocations::count() - allocated);
            let each = |sum: f64| sum / f64::from(times);
            vec![("cpu_ns", each(nanos)), ("allocations", each(allocated as f64))]
        })
    }
}

/// Measures `subjects` of `case`: a turn to warm up that does not count, then `rounds` in which the order goes
/// round, so that none is always measured behind the same one.
pub(crate) fn measure(record: &mut Record, rounds: u32, case: &str, subjects: &mut [Subject]) -> io::Result<()> {
    subjects.iter_mut().for_each(|subject| drop((subject.turn)()));
    let count = subjects.len();
    for round in 1..=rounds {
        for place in 0..count {
            let subject = &mut subjects[(round as usize - 1 + place) % count];
            for (metric, value) in (subject.turn)() {
                record.row(round, case, subject.name, metric, value)?;
            }
        }
    }
    println!("{case}: {rounds} rounds of {count} subjects, {}", record.path().display());
    Ok(())
}

/// The processor's time that this thread has taken.
pub(crate) fn thread_nanos() -> f64 {
    nanos(ClockId::ThreadCPUTime)
}

/// The processor's time that all threads of this process have taken.
pub(crate) fn process_nanos() -> f64 {
    nanos(ClockId::ProcessCPUTime)
}

/// The time that has passed.
pub(crate) fn wall_nanos() -> f64 {
    nanos(ClockId::Monotonic)
}

fn nanos(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
