//! The slots for connections: which are taken, what each waits for, and which is closed when none is free.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// How many connections are served at once. A page takes one or two, and only while it asks.
pub(super) const AT_ONCE: usize = 256;
/// A network with this many silent connections is crowded: when slots run out, its own make room first.
/// An eighth of the slots, so that at most eight networks are crowded at once.
pub(super) const SILENT: usize = 32;

/// The slots. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    taken: Vec<Entry>,
    /// Counts up with each change: the entry with the lowest number waits the longest.
    turn: u64,
}

#[derive(Debug)]
struct Entry {
    name: u64,
    network: IpAddr,
    phase: Phase,
    /// Since when it is in this phase.
    turn: u64,
    task: Option<AbortHandle>,
}

/// Which side a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For the other side: a TLS handshake, the head of a request or its body is not whole yet.
    Silent,
    /// For us: a request is under way.
    Served,
    /// For the other side, which was answered: to read that, or for its next request.
    Idle,
}

impl Slots {
    /// A slot for a connection from `address`. When all are taken, the oldest silent connection of a crowded
    /// network makes room; if no network is crowded, the connection that has kept us waiting the longest.
    /// If all are being served, this waits until one is not.
    pub(super) async fn take(&self, address: IpAddr) -> Slot {
        loop {
            // Asked for before it is looked, so that no slot is freed in between.
            let freed = self.0.freed.notified();
            if let Some(slot) = self.try_take(network(address)) {
                return slot;
            }
            freed.await;
        }
    }

    fn try_take(&self, network: IpAddr) -> Option<Slot> {
        let mut table = self.table();
        if table.taken.len() >= AT_ONCE {
            let crowded = table.crowded();
            let crowding = |entry: &Entry| entry.phase == Phase::Silent && crowded.contains(&entry.network);
            if !table.make_room(crowding) && !table.make_room(|entry| entry.phase != Phase::Served) {
                return None;
            }
        }
        let turn = table.next();
        table.taken.push(Entry { name: turn, network, phase: Phase::Silent, turn, task: None });
        Some(Slot { slots: self.clone(), name: turn })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn next(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// The networks with at least `SILENT` silent connections.
    fn crowded(&self) -> Vec<IpAddr> {
        let mut silent: Vec<_> =
            self.taken.iter().filter(|entry| entry.phase == Phase::Silent).map(|entry| entry.network).collect();
        silent.sort_unstable();
        silent.chunk_by(IpAddr::eq).filter(|network| network.len() >= SILENT).map(|network| network[0]).collect()
    }

    /// Hangs up on the one of those that `may` go which waits the longest; `false` if there is none.
    fn make_room(&mut self, may: impl Fn(&Entry) -> bool) -> bool {
        let found = self.taken.iter().enumerate().filter(|(_, entry)| may(entry)).min_by_key(|(_, entry)| entry.turn);
        let Some(index) = found.map(|(index, _)| index) else { return false };
        if let Some(task) = self.taken.swap_remove(index).task {
            task.abort();
        }
        true
    }
}

/// A connection's slot. Dropping it frees it.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    name: u64,
}

impl Slot {
    /// Has `task` ended when another connection needs the slot.
    pub(super) fn serves(&self, task: AbortHandle) {
        self.entry(|entry, _| entry.task = Some(task));
    }

    /// The head of a request has come, and its body, if that is `whole`. A client that still sends the body of its first
    /// request does not become younger by it.
    pub(super) fn request_began(&self, whole: bool) {
        self.entry(|entry, turn| match (whole, entry.phase) {
            (true, _) => entry.phase = Phase::Served,
            (false, Phase::Silent) => {}
            (false, _) => (entry.phase, entry.turn) = (Phase::Silent, turn),
        });
    }

    /// The body of a request has come.
    pub(super) fn request_read(&self) {
        self.entry(|entry, _| {
            if entry.phase == Phase::Silent {
                entry.phase = Phase::Served;
            }
        });
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        self.entry(|entry, turn| (entry.phase, entry.turn) = (Phase::Idle, turn));
        self.slots.0.freed.notify_one();
    }

    fn entry(&self, change: impl FnOnce(&mut Entry, u64)) {
        let mut table = self.slots.table();
        let turn = table.next();
        // It is gone if another connection was given the slot.
        if let Some(entry) = table.taken.iter_mut().find(|entry| entry.name == self.name) {
            change(entry, turn);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.table().taken.retain(|entry| entry.name != self.name);
        self.slots.0.freed.notify_one();
    }
}

/// What one person may have many addresses of: with IPv6, the 64 bits of a host do not count (RFC 4291, section 2.5.1).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    impl Slots {
        fn taken(&self, by: IpAddr) -> usize {
            self.table().taken.iter().filter(|entry| entry.network == by).count()
        }
        fn has(&self, slot: &Slot) -> bool {
            self.table().taken.iter().any(|entry| entry.name == slot.name)
        }
    }

    fn from(number: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0xC000_0200 + number as u32))
    }

    fn take(slots: &Slots, by: IpAddr) -> Option<Slot> {
        slots.try_take(network(by))
    }

    #[test]
    fn a_crowded_network_makes_room_only_once_places_run_out() {
        let slots = Slots::default();
        let other = take(&slots, from(1)).unwrap();
        let crowd: Vec<_> = (1..AT_ONCE).map(|_| take(&slots, from(0)).unwrap()).collect();
        assert!(crowd.iter().all(|slot| slots.has(slot)), "all slots are used");
        let more: Vec<_> = (0..1000).map(|_| take(&slots, from(0)).unwrap()).collect();
        assert_eq!((slots.taken(from(0)), slots.has(&other)), (AT_ONCE - 1, true));
        assert!(more.iter().rev().take(AT_ONCE - 1).all(|slot| slots.has(slot)), "the newest stay");
        // Others take its slots until it is not crowded; then the oldest of all makes room.
        let others: Vec<_> = (2..=AT_ONCE - SILENT + 1).map(|number| take(&slots, from(number)).unwrap()).collect();
        assert_eq!((slots.taken(from(0)), slots.has(&other)), (SILENT - 1, true));
        let last = take(&slots, from(300)).unwrap();
        assert_eq!((slots.taken(from(0)), slots.has(&other)), (SILENT - 1, false));
        assert!(slots.has(&last) && others.iter().all(|slot| slots.has(slot)));
        drop((crowd, more));
        assert_eq!(slots.taken(from(0)), 0);
    }

    #[test]
    fn a_client_that_has_asked_is_not_counted_as_silent() {
        let slots = Slots::default();
        // People behind one proxy.
        let people: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let slot = take(&slots, from(0)).unwrap();
                slot.request_began(true);
                slot.answered();
                slot
            })
            .collect();
        assert_eq!(slots.taken(from(0)), AT_ONCE);
        let newcomer = take(&slots, from(0)).unwrap();
        assert!(!slots.has(&people[0]) && people[1..].iter().all(|slot| slots.has(slot)), "the longest idle");
        people[1].request_began(true);
        people[2].request_began(false);
        let second = take(&slots, from(1)).unwrap();
        assert!(slots.has(&people[1]) && slots.has(&people[2]) && !slots.has(&people[3]), "both ask again");
        assert!(slots.has(&newcomer) && slots.has(&second));
    }

    #[test]
    fn a_body_that_does_not_come_is_silence_too() {
        let slots = Slots::default();
        let slow = take(&slots, from(0)).unwrap();
        slow.request_began(false);
        let quick = take(&slots, from(0)).unwrap();
        quick.request_began(false);
        quick.request_read();
        let rest: Vec<_> = (1..AT_ONCE).map(|_| take(&slots, from(0)).unwrap()).collect();
        assert!(!slots.has(&slow) && slots.has(&quick) && rest.iter().all(|slot| slots.has(slot)));
        // What comes of it later changes nothing.
        slow.request_read();
        slow.answered();
        drop(slow);
        assert_eq!(slots.taken(from(0)), AT_ONCE);
    }

    #[test]
    fn a_client_that_comes_while_all_are_served_waits_for_the_first_answer() {
        let slots = Slots::default();
        let served: Vec<_> = (0..AT_ONCE).map(|number| take(&slots, from(number)).unwrap()).collect();
        served.iter().for_each(|slot| slot.request_began(true));
        let mut waiting = Polled(Box::pin(slots.take(from(300))));
        assert!(waiting.poll().is_none());
        served[7].answered();
        let slot = waiting.poll().expect("the seventh made room");
        assert!(slots.has(&slot) && !slots.has(&served[7]) && slots.has(&served[8]));
    }

    /// A future that is polled by hand.
    struct Polled<F>(std::pin::Pin<Box<F>>);

    impl<F: Future> Polled<F> {
        fn poll(&mut self) -> Option<F::Output> {
            match self.0.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            }
        }
    }

    #[test]
    fn a_host_has_one_network() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::1"), "::");
    }
}
