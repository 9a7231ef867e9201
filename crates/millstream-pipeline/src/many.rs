//! A stage with several inputs: each has a link of its own, and they come and go while it runs.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::{Codec, FromInput, InputId, Item, Timestamp, Upstream};

use crate::link::{Exit, Taken};
use crate::outputs::Consumer;
use crate::task::{Step, Task};
use crate::task_waker::TaskWaker;

/// Where inputs are announced, before the start and while running. Whoever holds it may still do so.
pub(crate) struct Announced<T> {
    pub(crate) stage: Arc<str>,
    pub(crate) waker: Arc<TaskWaker>,
    /// The only codec that the stage takes, if there is one.
    pub(crate) takes: Option<Codec>,
    next: AtomicU32,
    full: AtomicBool,
    /// `None` once the stage has ended.
    inputs: Mutex<Option<Vec<Input<T>>>>,
}

/// One input: its link, and the way upstream through it.
struct Input<T> {
    id: InputId,
    exit: Exit<T>,
    upstream: Upstream,
}

impl<T> Announced<T> {
    pub(crate) fn new(stage: &Arc<str>, waker: &Arc<TaskWaker>, takes: Option<Codec>) -> Arc<Announced<T>> {
        Arc::new(Announced {
            stage: Arc::clone(stage),
            waker: Arc::clone(waker),
            takes,
            next: AtomicU32::new(0),
            full: AtomicBool::new(false),
            inputs: Mutex::new(Some(Vec::new())),
        })
    }

    /// Announces an input and wakes the stage; its link closes at once if the stage has ended.
    pub(crate) fn post(&self, exit: Exit<T>, upstream: Upstream) -> InputId {
        let mut inputs = self.inputs();
        let id = InputId::new(self.next.fetch_add(1, Ordering::Relaxed));
        // Otherwise the exit is dropped, after the lock: it wakes others.
        let Some(open) = &mut *inputs else { return id };
        open.push(Input { id, exit, upstream });
        drop(inputs);
        self.full.store(true, Ordering::Release);
        self.waker.notify();
        id
    }

    fn inputs(&self) -> MutexGuard<'_, Option<Vec<Input<T>>>> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of a stage with several inputs.
pub(crate) struct ManyTask<T> {
    inputs: Vec<Input<T>>,
    /// Those that were announced, and that the stage does not know yet.
    joining: VecDeque<Input<T>>,
    /// Whose turn it is: everybody's, one after the other.
    turn: usize,
    announced: Arc<Announced<T>>,
    consumer: Box<dyn Consumer<FromInput<T>>>,
    ended: bool,
}

impl<T: Item> ManyTask<T> {
    pub(crate) fn new(announced: &Arc<Announced<T>>, consumer: Box<dyn Consumer<FromInput<T>>>) -> Self {
        ManyTask {
            inputs: Vec::new(),
            joining: VecDeque::new(),
            turn: 0,
            announced: Arc::clone(announced),
            consumer,
            ended: false,
        }
    }

    /// Takes in the inputs that were announced.
    fn open(&mut self) {
        if self.announced.full.swap(false, Ordering::AcqRel) {
            let new = self.announced.inputs().as_mut().map(std::mem::take).unwrap_or_default();
            self.joining.extend(new);
        }
    }

    /// Lets in the next that was announced, if there is any. The stage learns of it before its first item, and
    /// like every call not before what the stage gave is gone.
    fn let_in(&mut self) -> bool {
        let Some(input) = self.joining.pop_front() else { return false };
        if let Some(cx) = self.consumer.cx() {
            cx.join_input(input.id, input.upstream.clone());
        }
        self.consumer.take(FromInput::joined(input.id));
        self.inputs.push(input);
        true
    }

    fn is_held(&mut self, index: usize) -> bool {
        let id = self.inputs[index].id;
        self.consumer.cx().is_some_and(|cx| cx.is_held(id))
    }

    /// The next thing that happened at any input that is not held.
    fn take(&mut self) -> Option<FromInput<T>> {
        for step in 0..self.inputs.len() {
            let index = (self.turn + step) % self.inputs.len();
            if self.is_held(index) {
                continue;
            }
            let id = self.inputs[index].id;
            match self.inputs[index].exit.take() {
                Taken::Item(item) => {
                    self.turn = index + 1;
                    return Some(FromInput::item(id, item));
                }
                Taken::Ended => {
                    self.inputs.remove(index);
                    self.turn = index;
                    if let Some(cx) = self.consumer.cx() {
                        cx.leave_input(id);
                    }
                    return Some(FromInput::ended(id));
                }
                Taken::Nothing => {}
            }
        }
        None
    }

    /// Whether there is no input, and nobody is left who could join one or everything is ending.
    fn is_over(&mut self) -> bool {
        self.inputs.is_empty()
            && self.joining.is_empty()
            && (Arc::strong_count(&self.announced) == 1 || self.consumer.cx().is_some_and(|cx| cx.stopping()))
            && !self.announced.full.load(Ordering::Acquire)
    }

    fn finish(&mut self) -> Step {
        self.ended = true;
        self.inputs.clear();
        self.joining.clear();
        if self.consumer.finish() { Step::Done } else { Step::Wait(None) }
    }
}

/// Whoever joins later finds a link that is closed.
impl<T> Drop for ManyTask<T> {
    fn drop(&mut self) {
        let announced = self.announced.inputs().take();
        // Without the lock: an exit that is dropped wakes others.
        drop(announced);
    }
}

impl<T: Item> Task for ManyTask<T> {
    fn attend(&mut self) {
        self.open();
        self.consumer.attend();
        if let Some(cx) = self.consumer.cx() {
            cx.pass_on_wishes();
        }
    }

    fn alarm(&self) -> Option<Timestamp> {
        self.consumer.alarm()
    }

    fn advance(&mut self) -> Step {
        if self.ended || self.consumer.closed() {
            return self.finish();
        }
        if !self.consumer.ready() {
            return Step::Wait(None);
        }
        if self.let_in() {
            return Step::Asked;
        }
        match self.take() {
            Some(received) => {
                self.consumer.take(received);
                Step::Moved
            }
            None if self.is_over() => self.finish(),
            None => Step::Wait(None),
        }
    }
}

/// The several inputs of a stage, as something to join outputs to. While one is held the stage does
/// not end, even when all its inputs have; it does when the pipeline stops.
pub struct Inputs<T>(pub(crate) Option<Arc<Announced<T>>>);

impl<T> Inputs<T> {
    pub(crate) fn new(announced: Arc<Announced<T>>) -> Inputs<T> {
        Inputs(Some(announced))
    }

    pub(crate) fn announced(&self) -> &Arc<Announced<T>> {
        self.0.as_ref().expect("it is taken only when it is dropped")
    }
}

impl<T> Clone for Inputs<T> {
    fn clone(&self) -> Self {
        Inputs(self.0.clone())
    }
}

impl<T> Drop for Inputs<T> {
    fn drop(&mut self) {
        let Some(announced) = self.0.take() else { return };
        let waker = Arc::clone(&announced.waker);
        drop(announced);
        // The stage looks whether that was the last one.
        waker.notify();
    }
}
