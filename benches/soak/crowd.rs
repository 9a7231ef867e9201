//! Viewers that come and go as people do: some leave, some vanish.

use std::net::SocketAddr;
use std::time::Duration;

use millstream_testkit::Chance;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::native::Viewer;
use crate::tally::{Kind, Tally};

/// How many watch at most, besides the others.
const MOST: usize = 10;
/// Between two arrivals, on average.
const ARRIVALS: Duration = Duration::from_secs(3);
/// How long one stays, on average.
const STAY: Duration = Duration::from_secs(15);
/// The share of those who go without a word.
const VANISHING: f64 = 0.3;

pub(crate) async fn come_and_go(page: SocketAddr, tally: Tally, seed: u64) {
    let mut chance = Chance::new(seed);
    let mut here = JoinSet::new();
    loop {
        rest(waiting(ARRIVALS, &mut chance)).await;
        while here.try_join_next().is_some() {}
        if here.len() < MOST {
            let (stay, vanishes) = (waiting(STAY, &mut chance), chance.share() < VANISHING);
            here.spawn(visit(page, tally.clone(), stay, vanishes));
        }
    }
}

async fn visit(page: SocketAddr, tally: Tally, stay: Duration, vanishes: bool) {
    let Ok(viewer) = Viewer::join(page).await else { return tally.note(|counts| counts.refused += 1) };
    tally.joined(Kind::Other, &viewer);
    // Some are gone before their picture is there; whoever stays has one.
    rest(stay).await;
    if stay > Duration::from_secs(10) && viewer.log(|log| log.frames) == 0 {
        tally.note(|counts| counts.refused += 1);
    }
    if vanishes {
        tally.note(|counts| counts.vanished += 1);
    } else if viewer.leave().await.is_ok() {
        tally.note(|counts| counts.left += 1);
    }
}

/// A time of exponential distribution, as between calls at a switchboard; at most five times the mean.
fn waiting(mean: Duration, chance: &mut Chance) -> Duration {
    mean.mul_f64((-(1.0 - chance.share()).ln()).min(5.0))
}

pub(crate) async fn rest(time: Duration) {
    sleep_until(Instant::now() + time).await;
}
