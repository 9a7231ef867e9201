//! Several inputs of one kind: a mixer, an echo canceller, a compositor, a muxer.
//!
//! The traits stay the same; what such a stage takes is a [`FromInput`]. Inputs join and leave while
//! it runs. A stage with one input never sees any of this.

/// One of several inputs, numbered in the order in which they join. A number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId(u32);

impl InputId {
    /// The input that joined after `before` others.
    pub const fn new(before: u32) -> InputId {
        InputId(before)
    }

    /// How many inputs joined before it.
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// What happened at an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent<T> {
    /// It joined.
    Joined,
    /// It gave an item.
    Item(T),
    /// It has ended: no item will follow.
    Ended,
}

/// What happened at one of several inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromInput<T> {
    /// Which one.
    pub input: InputId,
    /// What happened.
    pub event: InputEvent<T>,
}

impl<T> FromInput<T> {
    /// The input `input` joined.
    pub fn joined(input: InputId) -> FromInput<T> {
        FromInput { input, event: InputEvent::Joined }
    }

    /// The input `input` gave `item`.
    pub fn item(input: InputId, item: T) -> FromInput<T> {
        FromInput { input, event: InputEvent::Item(item) }
    }

    /// The input `input` ended.
    pub fn ended(input: InputId) -> FromInput<T> {
        FromInput { input, event: InputEvent::Ended }
    }
}
