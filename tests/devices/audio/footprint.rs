//! What devices that come and go leave behind: nothing.

use std::path::Path;
use std::time::Duration;

use millstream::Pipeline;
use millstream::core::device::Kind;
use millstream::cpal::{Microphone, microphone};
use millstream_testkit::sound::{self, Server};

use super::heard::{Blocks, pass, until};

/// How often the microphone is taken away. Each time took a thread, three descriptors and a client of the server.
const LOSSES: u32 = 10;
const LISTINGS: u32 = 20;

/// What this process holds.
#[derive(Debug, Clone, Copy)]
struct Footprint {
    threads: usize,
    descriptors: usize,
    /// Of the server's clients all, also those that a test keeps.
    clients: usize,
}

impl Footprint {
    fn now(server: &Server) -> Footprint {
        let entries = |path: &str| std::fs::read_dir(Path::new(path)).expect("Linux has it").count();
        let clients = server.control(&["list", "short", "clients"]).lines().count();
        Footprint { threads: entries("/proc/self/task"), descriptors: entries("/proc/self/fd"), clients }
    }

    fn is_within(&self, before: &Footprint) -> bool {
        self.threads <= before.threads && self.descriptors <= before.descriptors && self.clients <= before.clients
    }
}

#[test]
fn a_microphone_that_is_lost_again_and_again_and_many_listings_leave_nothing_behind() {
    sound::with_server(|mut server| {
        server.say(440.0);
        let (blocks, mut pipeline) = (Blocks::default(), Pipeline::new("footprint"));
        let (microphone, _) = Microphone::open("mic", microphone::Options::default(), pipeline.clock()).unwrap();
        let microphone = pipeline.blocking_source("mic", microphone);
        pipeline.inline_sink("keep", &microphone, blocks.sink());
        let running = pipeline.spawn().unwrap();
        until(&running, "it records", || blocks.count() > 0);
        let lost = || running.statistics().stage("mic").expect("it was added").lost;
        let lose = || {
            let before = lost();
            server.unplug_microphone();
            until(&running, "it is lost", || lost() > before);
            // It is looked for in vain as well.
            pass(&running, Duration::from_millis(500));
            let count = blocks.count();
            server.plug_microphone();
            until(&running, "it is back", || blocks.count() > count);
        };
        let registry = millstream::registry();
        let list = || {
            let sound = |kind| kind == Kind::Microphone || kind == Kind::Speaker;
            for devices in registry.devices().filter(|devices| sound(devices.kind())) {
                let found = devices.list().unwrap();
                assert!(found.iter().any(|found| found.id.starts_with("pulseaudio:")), "{found:?}");
            }
        };
        // What is there only once is there from now on.
        (0..2).for_each(|_| lose());
        list();
        let before = Footprint::now(&server);
        (0..LOSSES).for_each(|_| lose());
        (0..LISTINGS).for_each(|_| list());
        // What still closes may: it is waited for.
        let mut after = Footprint::now(&server);
        until(&running, &format!("all that was held is given back: {before:?}, then {after:?}"), || {
            after = Footprint::now(&server);
            after.is_within(&before)
        });
        eprintln!("{before:?} before {LOSSES} losses and {LISTINGS} listings, {after:?} after");
        running.stop();
        running.wait().unwrap();
    });
}
