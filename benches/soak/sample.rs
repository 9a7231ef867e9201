//! A look at everything, every ten seconds.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::crowd::rest;
use crate::native::http;
use crate::server::{self, Server, Usage};
use crate::tally::{Counts, Tally};

/// Between two looks.
pub(crate) const EVERY: Duration = Duration::from_secs(10);
/// Viewers that vanish are gone within 10 s; a busy machine gets more.
const EMPTY: Duration = Duration::from_secs(60);

/// What one look saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    /// Seconds since the start.
    pub(crate) seconds: f64,
    pub(crate) usage: Usage,
    /// How many the page says it has.
    pub(crate) viewers: usize,
    pub(crate) counts: Counts,
}

pub(crate) struct Sampler {
    pid: u32,
    page: std::net::SocketAddr,
    tally: Tally,
    start: Instant,
    pub(crate) rows: Vec<Row>,
}

impl Sampler {
    pub(crate) fn new(server: &Server, tally: Tally) -> Sampler {
        Sampler { pid: server.pid(), page: server.address, tally, start: Instant::now(), rows: Vec::new() }
    }

    pub(crate) async fn take(&mut self) -> Result<(), String> {
        let viewers = http::viewers(self.page).await?;
        let (usage, counts) = (server::usage(self.pid)?, self.tally.counts());
        self.rows.push(Row { seconds: self.start.elapsed().as_secs_f64(), usage, viewers, counts });
        Ok(())
    }

    pub(crate) fn last(&self) -> Row {
        self.rows.last().copied().unwrap_or_default()
    }

    /// Looks until nobody watches any more; how long that took, if it came to that.
    pub(crate) async fn until_empty(&mut self) -> Option<Duration> {
        let start = Instant::now();
        let empty = async {
            while http::viewers(self.page).await != Ok(0) {
                rest(Duration::from_millis(100)).await;
            }
        };
        let empty = timeout(EMPTY, empty).await.ok().map(|()| start.elapsed());
        // The connections over which it was asked are closed a moment after they are answered, and a request
        // that nobody finishes is hung up on after 10 s.
        rest(Duration::from_secs(12)).await;
        self.take().await.ok().and(empty)
    }
}

impl Row {
    /// The columns of the file of rows.
    pub(crate) const COLUMNS: &str = "seconds,rss_kib,threads,descriptors,cpu_s,viewers,joined,left,vanished,refused,\
        interrupted,plis,garbage,frames,undecodable,lost_packets,skipped,steady_frames,steady_key_frames,\
        steady_lost_packets,steady_longest_gap_ms";

    pub(crate) fn csv(&self) -> String {
        let (Usage { rss, threads, descriptors, ticks }, counts) = (self.usage, &self.counts);
        format!(
            "{:.0},{rss},{threads},{descriptors},{:.2},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.0}",
            self.seconds,
            ticks as f64 / 100.0,
            self.viewers,
            counts.joined,
            counts.left,
            counts.vanished,
            counts.refused,
            counts.interrupted,
            counts.plis,
            counts.garbage,
            counts.frames,
            counts.undecodable,
            counts.lost,
            counts.skipped,
            counts.steady_frames,
            counts.steady_key_frames,
            counts.steady_lost,
            counts.longest_gap.as_secs_f64() * 1e3,
        )
    }

    /// What a person reads meanwhile.
    pub(crate) fn line(&self) -> String {
        let (usage, counts) = (self.usage, &self.counts);
        format!(
            "{:5.0} s  {:3} viewers  {:6.1} MiB  {} threads  {:3} descriptors  {} joins  {} frames  {} undecodable  gap {:.0} ms",
            self.seconds,
            self.viewers,
            usage.rss as f64 / 1024.0,
            usage.threads,
            usage.descriptors,
            counts.joined,
            counts.frames,
            counts.undecodable,
            counts.longest_gap.as_secs_f64() * 1e3,
        )
    }
}
