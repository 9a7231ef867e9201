//! What says that it allocates nothing.

use super::rule::{ensure, must};

/// Calls before those that count: pools and rings fill up.
const WARM_UP: u64 = 100;
/// Calls that count.
const COUNTED: u64 = 1000;

/// Calls `frame` 100 times, and says that another 1000 calls allocate nothing.
///
/// `count` is the number of allocations of this thread so far. Counting them takes a global allocator, which is
/// `unsafe` to write and counts for a whole test binary: it stands in the test.
///
/// # Panics
/// If anything was allocated.
#[track_caller]
pub fn allocations(count: impl Fn() -> u64, mut frame: impl FnMut(u64)) {
    must("a stage that says so allocates nothing once it is warm", || {
        (0..WARM_UP).for_each(&mut frame);
        let before = count();
        (WARM_UP..WARM_UP + COUNTED).for_each(&mut frame);
        let made = count() - before;
        ensure(made == 0, || format!("{made} allocations in {COUNTED} calls"))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::rule::tests::fails;
    use std::cell::Cell;

    #[test]
    fn warming_up_is_free_and_one_allocation_later_is_not() {
        let count = Cell::new(0);
        allocations(|| count.get(), |call| count.set(count.get() + u64::from(call < 100)));
        fails("Seen: 1 allocations in 1000 calls", || {
            allocations(|| count.get(), |call| count.set(count.get() + u64::from(call == 1099)));
        });
    }
}
