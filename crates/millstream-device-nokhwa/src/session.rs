//! The thread in which a camera's driver runs: it may block, fail, panic or hang for ever, and nobody
//! waits for it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Clock, Error, Pool, Result};

use crate::choose;
use crate::driver::{self, Trouble};
use crate::options::Options;
use crate::rows;
use crate::slot::{Opened, Shot, Slot};

/// Pictures that may be under way: two in the slot, one at each end of it.
const POOLED: usize = 4;
/// How long a driver that failed is left alone, so that one that fails at once does not take a core.
const AFTER_TROUBLE: Duration = Duration::from_millis(10);

/// A camera that is opened, or about to be. Dropping it leaves the thread behind, which closes the
/// camera as soon as its driver lets it.
pub(crate) struct Session(Arc<Slot>);

impl Session {
    /// Starts a thread that opens the camera that fits `options`.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub(crate) fn start(options: Options, clock: Clock) -> Result<Session> {
        let slot = Arc::new(Slot::default());
        let inside = Arc::clone(&slot);
        std::thread::Builder::new()
            .name("camera".to_owned())
            .spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(|| capture(&options, &clock, &inside)));
                if let Err(error) = ended.unwrap_or_else(|payload| Err(panicked(payload.as_ref()))) {
                    inside.put(|news| news.ended = Some(error));
                }
            })
            .map_err(|error| Error::lost("no thread for the camera").caused_by(error))?;
        Ok(Session(slot))
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.0
    }

    /// What tells whether the thread is still there, once this is dropped.
    pub(crate) fn left_behind(&self) -> LeftBehind {
        LeftBehind::of(&self.0)
    }
}

/// A thread that was left behind.
pub(crate) struct LeftBehind(Weak<Slot>);

impl LeftBehind {
    /// The thread that holds `slot`.
    pub(crate) fn of(slot: &Arc<Slot>) -> LeftBehind {
        LeftBehind(Arc::downgrade(slot))
    }

    /// Whether its driver still holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.leave();
    }
}

fn capture(options: &Options, clock: &Clock, slot: &Slot) -> Result<()> {
    let cameras = driver::list(options.through)?;
    let (camera, mode, choice) = choose::choose(options, &cameras)?;
    let (mut driver, color) = driver::open(options.through, camera, mode)?;
    slot.put(|news| news.opened = Some(Opened { choice, mode, color }));
    let mut pool = Pool::new(POOLED);
    while !slot.is_left() {
        let next = driver.next(&mut |raw| {
            let time = clock.now() - raw.age;
            let size = (mode.width, mode.height);
            let data = rows::tight(&mut pool, raw.data, mode.encoding.pixels(), size, raw.stride);
            slot.put_shot(Shot { data, time });
        });
        match next {
            Ok(()) | Err(Trouble::Nothing) => {}
            Err(Trouble::Passing(words)) => {
                slot.put(|news| {
                    news.troubles.0 += 1;
                    news.troubles.1 = words;
                });
                slot.rest(AFTER_TROUBLE);
            }
            Err(Trouble::Gone(error)) => return Err(error),
        }
    }
    Ok(())
}

fn panicked(payload: &(dyn Any + Send)) -> Error {
    let words =
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Error::new(Kind::Lost, format!("the camera's driver panicked: {}", words.unwrap_or("without words")))
}
