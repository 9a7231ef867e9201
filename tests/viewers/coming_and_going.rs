//! 200 viewers come and go, and nothing of them is left.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::allocated;
use crate::native::{DEADLINE, Viewer, http};
use crate::processes;
use crate::show::{Show, alone};

const WARM_UP: usize = 50;
const VIEWERS: usize = 200;
/// So many are there at once.
const AT_ONCE: usize = 10;
/// What one of the last hundred viewers may leave of the heap: nothing it owns is so small.
const LEFT_EACH: usize = 256;
/// The pipeline's own queues and the allocator's habits move by this.
const SLACK: usize = 256 * 1024;

/// What a process has.
#[derive(Clone, Copy, Debug)]
struct Has {
    threads: usize,
    descriptors: usize,
    /// The least of several looks, in bytes: the pipeline goes on meanwhile.
    heap: usize,
    /// In RAM, in bytes.
    resident: usize,
}

#[test]
fn nothing_is_left_of_200_viewers() {
    alone(async {
        let show = Show::start();
        come_and_go(&show, WARM_UP).await;
        let before = has(&show).await;
        come_and_go(&show, VIEWERS / 2).await;
        let half = has(&show).await;
        come_and_go(&show, VIEWERS / 2).await;
        let after = has(&show).await;
        eprintln!("before {before:?}\nhalf   {half:?}\nafter  {after:?}");
        assert_eq!(after.threads, before.threads, "threads");
        assert_eq!(after.descriptors, before.descriptors, "sockets and files");
        assert!(after.heap < half.heap + VIEWERS / 2 * LEFT_EACH + SLACK, "the heap grew: {half:?}, {after:?}");
        assert!(after.resident < half.resident + 4 * 1024 * 1024, "memory grew: {half:?}, {after:?}");
    });
}

/// `count` viewers come, see a picture and go: every third without a word.
async fn come_and_go(show: &Show, count: usize) {
    let mut here = JoinSet::new();
    for number in 0..count {
        if here.len() == AT_ONCE {
            here.join_next().await.expect("somebody is here").expect("a viewer that sees");
        }
        let page = show.address;
        here.spawn(async move {
            let viewer = Viewer::join(page).await.expect("a place");
            assert!(viewer.sees(|log| log.frames > 0 && log.sound > 0).await, "{:?}", viewer.log(Clone::clone));
            assert_eq!(viewer.log(|log| log.undecodable), 0);
            if number % 3 > 0 {
                viewer.leave().await.expect("it leaves");
            }
        });
    }
    while let Some(gone) = here.join_next().await {
        gone.expect("a viewer that sees");
    }
}

/// What the process has once nobody is there.
async fn has(show: &Show) -> Has {
    let empty = async {
        while show.backend.tasks() > 0 || http::viewers(show.address).await != Ok(0) {
            rest(50).await;
        }
    };
    let empty = timeout(DEADLINE, empty).await;
    empty.unwrap_or_else(|_| panic!("{} tasks of peers are left", show.backend.tasks()));
    // A connection over which was asked is closed a moment after the answer, so that the least is what stays.
    let id = std::process::id();
    let (mut heap, mut descriptors) = (usize::MAX, usize::MAX);
    for _ in 0..40 {
        heap = heap.min(allocated::bytes());
        descriptors = descriptors.min(processes::descriptors(id));
        rest(25).await;
    }
    Has { threads: processes::threads(id), descriptors, heap, resident: processes::resident(id) }
}

async fn rest(millis: u64) {
    let _ = timeout(Duration::from_millis(millis), std::future::pending::<()>()).await;
}
