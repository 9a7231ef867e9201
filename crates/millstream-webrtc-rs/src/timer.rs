//! A timer that is used again.
//!
//! The `webrtc` crate sleeps until its next deadline anew at every turn of its loop, which is at every
//! packet, and leaves the sleep as soon as the next packet comes. Setting an alarm of the runtime and
//! taking it back each time costs more than leaving it set: so it stays set, and a task that wakes too early
//! re-arms it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// An alarm that the next sleep takes over. Cloning gives another handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timer(Arc<Mutex<Option<Alarm>>>);

type Alarm = Pin<Box<Sleep>>;

impl Timer {
    /// Sleeps for `duration`. Several may sleep at once; the alarm is kept for one of them.
    pub(crate) fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // A longer sleep may end early: its task looks at the clock and sleeps again.
        let duration = duration.min(Duration::from_secs(86_400));
        let mut sleeping = Sleeping { until: Instant::now() + duration, alarm: None, timer: self.clone() };
        Box::pin(poll_fn(move |cx| sleeping.poll(cx)))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Alarm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sleeping {
    until: Instant,
    alarm: Option<Alarm>,
    timer: Timer,
}

impl Sleeping {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let alarm = self.alarm.get_or_insert_with(|| {
            self.timer.slot().take().unwrap_or_else(|| Box::pin(tokio::time::sleep_until(until)))
        });
        if alarm.deadline() > until {
            alarm.as_mut().reset(until);
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() >= until {
                return Poll::Ready(());
            }
            // It was left from an earlier sleep.
            alarm.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm.take() {
            *self.timer.slot() = Some(alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_sleep_ends_early_whatever_alarm_was_left_before() {
        let timer = Timer::default();
        for (sleep, leave) in [(60, 1), (5, 5000), (20, 5000), (90, 1), (2, 5000), (0, 5000), (1, 5000)] {
            let (sleep, leave) = (Duration::from_millis(sleep), Duration::from_millis(leave));
            let start = Instant::now();
            let slept = tokio::time::timeout(leave, timer.sleep(sleep)).await;
            assert_eq!(slept.is_ok(), sleep < leave);
            assert!(start.elapsed() >= sleep.min(leave));
        }
        assert!(timer.slot().is_some(), "kept for the next");
    }

    #[tokio::test]
    async fn several_sleep_at_once() {
        let (timer, start) = (Timer::default(), Instant::now());
        let sleep = |millis| {
            let sleep = timer.sleep(Duration::from_millis(millis));
            async move {
                sleep.await;
                assert!(start.elapsed() >= Duration::from_millis(millis));
            }
        };
        tokio::join!(sleep(30), sleep(10), sleep(20));
    }

    #[tokio::test]
    async fn the_sleep_that_takes_the_alarm_over_is_woken() {
        let timer = Timer::default();
        let mut left = timer.sleep(Duration::from_millis(10));
        assert!(left.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        drop(left);
        timer.sleep(Duration::from_millis(20)).await;
    }
}
