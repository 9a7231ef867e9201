//! The engine's threads, each with a runtime of its own.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use millstream_core::{Error, Result};
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;

use crate::wake_list::WakeList;

/// At most this many threads: one alone carried a hundred viewers of 2.3 Mbit/s at 0.37 of a core (measured, webrtc 0.21.1).
const MOST: usize = 2;

/// The engine's threads; peers take them in turn.
#[derive(Debug, Default)]
pub(crate) struct Shards {
    started: Mutex<Vec<Shard>>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Shard {
    runtime: Handle,
    wake_list: WakeList,
    /// The thread ends when this and the copies that its tasks hold are gone.
    alive: mpsc::Sender<()>,
}

impl Shards {
    /// Runs the task that `make` makes on the next thread, which is started if need be, and whose wake list
    /// it gets.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        make: impl FnOnce(WakeList) -> F,
    ) -> Result<()> {
        let count = thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST));
        let index = self.next.fetch_add(1, Ordering::Relaxed) % count;
        let mut shards = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if shards.len() <= index {
            let shard = Shard::start(shards.len())?;
            shards.push(shard);
        }
        let shard = &shards[index.min(shards.len() - 1)];
        let (alive, task) = (shard.alive.clone(), make(shard.wake_list.clone()));
        shard.runtime.spawn(async move {
            task.await;
            drop(alive);
        });
        Ok(())
    }

    /// Tasks that are alive on all threads.
    pub(crate) fn tasks(&self) -> usize {
        let shards = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        shards.iter().map(|shard| shard.runtime.metrics().num_alive_tasks()).sum()
    }
}

impl Shard {
    fn start(index: usize) -> Result<Shard> {
        let failed = |error| Error::fatal("the engine `webrtc-rs` cannot start a thread").caused_by(error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (alive, mut gone) = mpsc::channel::<()>(1);
        let wake_list = WakeList::default();
        let served = wake_list.clone();
        thread::Builder::new()
            .name(format!("webrtc-rs {index}"))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = served.serve() => {}
                        // Nothing is ever sent: this ends when the last sender is dropped.
                        _ = gone.recv() => {}
                    }
                });
            })
            .map_err(failed)?;
        Ok(Shard { runtime: handle, wake_list, alive })
    }
}
