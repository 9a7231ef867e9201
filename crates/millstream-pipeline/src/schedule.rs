//! When a source is asked next: at once, at a time, when it is woken, after a loss, or never again.

use millstream_core::{Error, Next, Timestamp};

use crate::retry::Backoff;
use crate::supervisor::{Called, Supervisor};
use crate::task::Step;

/// Bad items in a row after which a source is left alone too: nothing good is coming just now.
const BAD_IN_A_ROW: u32 = 100;
/// How often a source may be asked for nothing at one moment before that is a mistake of its own.
const ASKED_IN_VAIN: u32 = 10_000;

/// When a source is asked next, and what went wrong since its last good item.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    rest: Rest,
    bad: u32,
    backoff: Backoff,
    /// Whether it lost what it depends on, and has given nothing since.
    lost: bool,
    in_vain: u32,
}

/// Why a source is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    #[default]
    None,
    Until(Timestamp),
    Idle,
    /// It lost what it stands on: not before this time, whatever is requested.
    BackOff(Timestamp),
    Ended,
}

impl Schedule {
    /// Its waker was used, or a request came: what it said before is forgotten.
    pub(crate) fn now(&mut self) {
        if matches!(self.rest, Rest::Until(_) | Rest::Idle) {
            self.rest = Rest::None;
        }
    }

    /// It gives nothing any more.
    pub(crate) fn end(&mut self) {
        self.rest = Rest::Ended;
    }

    /// Whether it gives nothing any more.
    pub(crate) fn is_over(&self) -> bool {
        self.rest == Rest::Ended
    }

    /// What to wait for before it is asked, if anything.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Step> {
        match self.rest {
            Rest::Until(time) | Rest::BackOff(time) if time > now => Some(Step::Wait(Some(time))),
            Rest::Idle => Some(Step::Wait(None)),
            _ => None,
        }
    }

    /// The item it gave when it was asked, or none and when it is asked again.
    pub(crate) fn after<T>(&mut self, called: Called<Next<T>>, supervisor: &Supervisor, now: Timestamp) -> Option<T> {
        self.rest = match called {
            Called::Well(Next::Item(item)) => {
                if self.lost {
                    supervisor.recovered();
                }
                *self = Schedule::default();
                return Some(item);
            }
            Called::Well(Next::Until(time)) if time <= now => self.in_vain(supervisor),
            Called::Well(Next::Until(time)) => Rest::Until(time),
            Called::Well(Next::Idle) => Rest::Idle,
            Called::Well(Next::End) | Called::Failed(_) => Rest::Ended,
            Called::Skipped => {
                self.bad += 1;
                if self.bad < BAD_IN_A_ROW { Rest::None } else { self.back_off(supervisor, now) }
            }
            Called::Lost(error) => {
                if !std::mem::replace(&mut self.lost, true) {
                    supervisor.lost(&error);
                }
                self.back_off(supervisor, now)
            }
        };
        if !matches!(self.rest, Rest::None) {
            self.in_vain = 0;
        }
        None
    }

    /// It said to come at a time that has come, and does so again and again: nobody gets anything else done.
    fn in_vain(&mut self, supervisor: &Supervisor) -> Rest {
        self.in_vain += 1;
        if self.in_vain < ASKED_IN_VAIN {
            return Rest::None;
        }
        let words = format!(
            "it was asked {ASKED_IN_VAIN} times, and each time for a moment that had come; it must give an item or a later time"
        );
        let _: Called<()> = supervisor.call(|| Err(Error::fatal(words)));
        Rest::Ended
    }

    fn back_off(&mut self, supervisor: &Supervisor, now: Timestamp) -> Rest {
        let wait = self.backoff.next();
        self.bad = 0;
        tracing::warn!("{}: trying again in {wait:?}", supervisor.name);
        Rest::BackOff(now + wait)
    }
}
