//! A server that goes, hangs and comes back.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Next, Source};
use millstream_testkit::Xvfb;

use crate::watcher::{Watcher, plain};

/// A busy machine may start a server late.
const ATTEMPTS: u32 = 3;
/// How long after the server's return a picture may take.
const BACK_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn a_server_that_is_killed_is_lost_once_and_its_return_is_seen() {
    let Some(mut server) = Xvfb::start((640, 480), &[]) else { return };
    let mut watcher = Watcher::open(plain(server.display())).unwrap();
    watcher.next().unwrap();
    for attempt in 1..=ATTEMPTS {
        server.kill();
        let lost = loop {
            if let Err(lost) = watcher.next() {
                break lost;
            }
        };
        assert_eq!(lost.kind(), Kind::Lost);
        assert!(lost.to_string().contains("the X server is gone"), "{lost}");
        // It is not said again, however often it is looked for in vain.
        let gone = watcher.cx.now();
        while watcher.cx.now().since(gone) < Duration::from_millis(1500) {
            assert!(matches!(watcher.screen.next(&mut watcher.cx), Ok(Next::Idle)));
            std::thread::park_timeout(Duration::from_millis(100));
        }
        server.start_again();
        let back = watcher.cx.now();
        let took = watcher.next().unwrap().time.since(back);
        eprintln!("a picture {took:?} after the server was back");
        if took <= BACK_WITHIN {
            return;
        }
        assert!(attempt < ATTEMPTS, "{took:?}");
    }
}

#[test]
fn a_server_that_hangs_holds_up_nobody_and_is_seen_again() {
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let mut watcher = Watcher::open(plain(server.display())).unwrap();
    watcher.next().unwrap();
    server.signal("STOP");
    let lost = loop {
        if let Err(lost) = watcher.next() {
            break lost;
        }
    };
    assert!(lost.to_string().contains("it has not answered for 2 s"), "{lost}");
    server.signal("CONT");
    watcher.next().unwrap();

    // And now it hangs when the pipeline ends.
    server.signal("STOP");
    let asked = watcher.cx.now();
    let next = watcher.screen.next(&mut watcher.cx).unwrap();
    assert!(matches!(next, Next::Idle | Next::Item(_)));
    let clock = watcher.cx;
    drop(watcher.screen);
    eprintln!("asked and closed in {:?}, with a server that hangs", clock.now().since(asked));
    server.signal("CONT");
}
