//! The end of a pipeline as a future, for any runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

use crate::shared::{Shared, locked};

/// Completes when everything has ended: see [`Running::ended`](crate::Running::ended).
#[derive(Clone, Debug)]
pub struct Ended(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    done: bool,
    wakers: Vec<Waker>,
}

impl Future for Ended {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = locked(&self.0);
        if state.done {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Watches for the end of a pipeline, on a thread that starts when somebody first asks for it.
#[derive(Debug, Default)]
pub(crate) struct Watcher(OnceLock<Ended>);

impl Watcher {
    pub(crate) fn ended(&self, shared: &Arc<Shared>) -> Ended {
        self.0.get_or_init(|| watch(Arc::clone(shared))).clone()
    }
}

fn watch(shared: Arc<Shared>) -> Ended {
    let ended = Ended(Arc::default());
    let state = Arc::clone(&ended.0);
    // A stage that hangs after a stop is cut off here too: the deadline is one for all who wait.
    let thread = std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        shared.drain();
        complete(&state);
    });
    if let Err(error) = thread {
        tracing::error!("no thread could be had to wait for the end: {error}");
        complete(&ended.0);
    }
    ended
}

fn complete(state: &Mutex<State>) {
    let mut state = locked(state);
    state.done = true;
    let wakers = std::mem::take(&mut state.wakers);
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}
