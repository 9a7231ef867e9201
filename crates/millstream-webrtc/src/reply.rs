//! The answer to a command: a future for any runtime, and a wait for threads.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_core::{Error, Result};

use crate::block::block_on;

/// The answer to a command that has already been sent.
///
/// Await it, [`wait`](Reply::wait) for it, or drop it: dropping cancels nothing.
#[derive(Debug)]
#[must_use = "an error is only seen where the reply is awaited; `let _ =` discards it"]
pub struct Reply<T>(Arc<Mutex<Slot<T>>>);

/// The back-end's half of a [`Reply`]. Dropped without an answer, it says that the peer is closed.
pub struct Responder<T>(Option<Answer<T>>);

type Answer<T> = Box<dyn FnOnce(Result<T>) + Send>;

#[derive(Debug)]
struct Slot<T> {
    answer: Option<Result<T>>,
    waker: Option<Waker>,
}

impl<T: Send + 'static> Reply<T> {
    /// A reply and what answers it.
    pub fn new() -> (Responder<T>, Reply<T>) {
        let slot = Arc::new(Mutex::new(Slot { answer: None, waker: None }));
        let reply = Reply(Arc::clone(&slot));
        let answer = move |answer| {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.answer = Some(answer);
            let waker = slot.waker.take();
            drop(slot);
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        (Responder(Some(Box::new(answer))), reply)
    }

    /// A reply that is there already.
    pub fn ready(answer: Result<T>) -> Reply<T> {
        Reply(Arc::new(Mutex::new(Slot { answer: Some(answer), waker: None })))
    }

    /// Blocks this thread until the answer is there. Not for a thread that runs an async runtime.
    pub fn wait(self) -> Result<T> {
        block_on(self)
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = slot.answer.take() {
            return Poll::Ready(answer);
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T: 'static> Responder<T> {
    /// Answers.
    pub fn send(mut self, answer: Result<T>) {
        if let Some(send) = self.0.take() {
            send(answer);
        }
    }

    /// What takes a `U` and answers with what `map` makes of it.
    pub(crate) fn map<U>(mut self, map: impl FnOnce(U) -> T + Send + 'static) -> Responder<U> {
        let send = self.0.take();
        Responder(send.map(|send| Box::new(|answer: Result<U>| send(answer.map(map))) as Answer<U>))
    }
}

impl<T> Drop for Responder<T> {
    fn drop(&mut self) {
        if let Some(send) = self.0.take() {
            send(Err(Error::lost("the peer is closed; open another with Engine::peer")));
        }
    }
}

impl<T> fmt::Debug for Responder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_waits_for_the_answer() {
        let (responder, reply) = Reply::new();
        let thread = std::thread::spawn(move || reply.wait());
        responder.send(Ok(7));
        assert_eq!(thread.join().unwrap().unwrap(), 7);
    }

    #[test]
    fn a_dropped_responder_answers_and_a_dropped_reply_does_not_hurt() {
        let (responder, reply) = Reply::<()>::new();
        drop(responder);
        assert!(reply.wait().unwrap_err().to_string().contains("closed"));
        let (responder, reply) = Reply::new();
        drop(reply);
        responder.send(Ok(()));
    }
}
