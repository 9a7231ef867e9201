//! What a link does when it is full.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Serialize;

/// What a link does with an item that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// It stays with its producer, which is not called again until it is gone. Nothing is lost, and
    /// with a fan-out the slowest branch sets the pace of all.
    Block,
    /// The newest item replaces the one that waits: for live pictures.
    Latest,
    /// The oldest waiting items give way.
    DropOldest,
    /// The newcomer is dropped.
    DropNewest,
}

impl Policy {
    /// The names people write, in the order of the variants.
    pub const NAMES: [&'static str; 4] = ["block", "latest", "drop-oldest", "drop-newest"];

    /// The policy that people call `name`.
    pub fn from_name(name: &str) -> Option<Policy> {
        let index = Policy::NAMES.iter().position(|known| *known == name)?;
        Some([Policy::Block, Policy::Latest, Policy::DropOldest, Policy::DropNewest][index])
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        Policy::NAMES[self as usize]
    }
}

/// How a link is bounded and what it does when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it does with an item that does not fit.
    pub policy: Policy,
    /// How many items wait at the most.
    pub items: NonZeroUsize,
    /// How long an item waits at the most, from entering the link. Never set where the policy is
    /// [`Policy::Block`], which loses nothing.
    pub max_age: Option<Duration>,
}

impl Link {
    /// A link that loses nothing and holds at most `items`.
    pub const fn block(items: NonZeroUsize) -> Link {
        Link { policy: Policy::Block, items, max_age: None }
    }

    /// A link that holds the newest item.
    pub const fn latest() -> Link {
        Link { policy: Policy::Latest, items: NonZeroUsize::MIN, max_age: None }
    }

    /// A link that holds the newest `items`.
    pub const fn drop_oldest(items: NonZeroUsize) -> Link {
        Link { policy: Policy::DropOldest, items, max_age: None }
    }
}
