//! How long a viewer keeps its place.

use std::sync::Arc;
use std::time::Duration;

use millstream_webrtc::{PeerState, Watch};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a viewer that opened a session may take to connect.
const CONNECTING: Duration = Duration::from_secs(15);
/// How long a viewer that was connected may be without a connection before another viewer gets its place. Its engine
/// reports the silence after 3 s, so the place is free after 7 s.
const LOST: Duration = Duration::from_secs(4);

/// Returns once the viewer that `state` is about has been away for too long, or is closed. Each ICE restart, which
/// notifies `restarted`, gives it time again, also after the connection has failed.
pub(super) async fn gone_for_good(mut state: Watch<PeerState>, restarted: Arc<Notify>) {
    let connected = |state: &PeerState| *state == PeerState::Connected;
    let mut patience = CONNECTING;
    loop {
        tokio::select! {
            now = timeout(patience, state.until(|state| connected(state) || state.is_final())) => match now {
                Ok(PeerState::Connected) => {}
                _ => return,
            },
            () = restarted.notified() => continue,
        }
        // Still connected means that no other state will come: its engine has dropped it.
        let next = state.until(|state| !connected(state)).await;
        if connected(&next) || next.is_final() {
            return;
        }
        patience = LOST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::Clock;
    use millstream_testkit::engine::FakeEngine;
    use millstream_webrtc::{Peer, PeerOptions};
    use tokio::time::Instant;

    fn peer() -> (FakeEngine, Peer) {
        let fake = FakeEngine::new();
        let peer = fake.engine().peer(PeerOptions::new(Clock::manual().0)).unwrap();
        (fake, peer)
    }

    fn gone(peer: &Peer) -> impl Future<Output = ()> + use<> {
        gone_for_good(peer.state(), Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_connects_is_gone_after_15_s() {
        let (_fake, peer) = peer();
        let start = Instant::now();
        gone(&peer).await;
        assert_eq!(start.elapsed().as_secs(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_in_time_stays() {
        let (fake, peer) = peer();
        fake.state(0, PeerState::Connected);
        let start = Instant::now();
        let gone = tokio::spawn(gone(&peer));
        for (after, state) in [(60, PeerState::Disconnected), (3, PeerState::Connected), (60, PeerState::Disconnected)]
        {
            assert!(timeout(Duration::from_secs(after), std::future::pending::<()>()).await.is_err());
            fake.state(0, state);
        }
        gone.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 60 + 3 + 60 + 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_that_closes_is_gone_at_once_and_one_that_fails_may_restart() {
        for (last, seconds) in [(PeerState::Closed, 0), (PeerState::Failed, 4)] {
            let (fake, peer) = peer();
            fake.state(0, PeerState::Connected);
            let gone = tokio::spawn(gone(&peer));
            tokio::task::yield_now().await;
            let start = Instant::now();
            fake.state(0, last);
            gone.await.unwrap();
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_restarts_has_time_again() {
        let (fake, peer) = peer();
        fake.state(0, PeerState::Connected);
        let (start, restarted) = (Instant::now(), Arc::new(Notify::new()));
        let gone = tokio::spawn(gone_for_good(peer.state(), Arc::clone(&restarted)));
        tokio::task::yield_now().await;
        fake.state(0, PeerState::Disconnected);
        assert!(timeout(Duration::from_secs(3), std::future::pending::<()>()).await.is_err());
        restarted.notify_one();
        gone.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 3 + 4);
    }
}
