//! How a requirement is checked, and what is said when it is not met.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use millstream_core::units::{Bitrate, FrameRate};
use millstream_core::{Control, Error, Layers};

/// Nothing to complain of, or what was seen instead.
pub(super) type Seen = Result<(), String>;

/// Panics unless `check` has nothing to complain of; a panic inside is a complaint too.
#[track_caller]
pub(super) fn must(requirement: &str, check: impl FnOnce() -> Seen) {
    let seen = match catch_unwind(AssertUnwindSafe(check)) {
        Ok(Ok(())) => return,
        Ok(Err(seen)) => seen,
        Err(payload) => format!("a panic: {}", words_of(&*payload)),
    };
    panic!("{requirement}. Seen: {seen}");
}

/// A complaint of `seen` unless it `holds`.
pub(super) fn ensure(holds: bool, seen: impl FnOnce() -> String) -> Seen {
    if holds { Ok(()) } else { Err(seen()) }
}

/// An error where none should be.
pub(super) fn unexpected(error: &Error) -> String {
    format!("the error `{error}` ({:?})", error.kind())
}

/// What a panic said.
pub(super) fn words_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

/// Every kind of request, at its ends and in between, ending with those that withdraw.
pub(super) fn wishes() -> Vec<Control> {
    let rate = |numerator, denominator| FrameRate::new(numerator, denominator).expect("more than 0 and at most 1000");
    vec![
        Control::KeyFrame(Layers::ALL),
        Control::KeyFrame(Layers::spatial(31)),
        Control::Bitrate(Some(Bitrate::from_bps(1))),
        Control::Bitrate(Some(Bitrate::MAX)),
        Control::Bitrate(None),
        Control::MaxSize(Some((1, 1))),
        Control::MaxSize(Some((u32::MAX, u32::MAX))),
        Control::MaxSize(None),
        Control::MaxFrameRate(Some(rate(1, u32::MAX))),
        Control::MaxFrameRate(Some(FrameRate::MAX)),
        Control::MaxFrameRate(None),
        Control::Loss(Some(1.0)),
        Control::Loss(Some(0.0)),
        Control::Loss(None),
        Control::Pause(true),
        Control::Pause(false),
    ]
}

/// Whether both are wishes of one kind.
pub(super) fn same_kind(one: Control, other: Control) -> bool {
    std::mem::discriminant(&one) == std::mem::discriminant(&other)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Says that `suite` fails with all of `words` in its message.
    #[track_caller]
    pub(in crate::conformance) fn fails(words: &str, suite: impl FnOnce()) {
        let Err(payload) = catch_unwind(AssertUnwindSafe(suite)) else { panic!("it passed: {words}") };
        let said = words_of(&*payload);
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }

    #[test]
    fn a_complaint_names_the_requirement_and_a_panic_is_one() {
        must("a thing is so", || Ok(()));
        fails("a thing is so. Seen: it is not", || must("a thing is so", || Err("it is not".to_owned())));
        fails("a thing is so. Seen: a panic: boom", || must("a thing is so", || panic!("boom")));
    }
}
