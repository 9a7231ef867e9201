//! A viewer without a browser: joins a page by WHEP, judges what it gets packet by packet, and can
//! behave badly.
//!
//! The tests of many viewers and the soak use it. It stands on the `rtc` crate with a socket of its
//! own, so that what it sends and reads, and when, is in our hands.

#![allow(dead_code, unused_imports, reason = "the tests and the soak use different parts of it")]

mod connection;
pub(crate) mod http;
mod video;
mod vp8;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rtc::rtcp::Packet;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) use connection::Command;
use connection::Connection;
pub(crate) use video::{Log, Seen, Taker};

/// How long anything here may take on a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A viewer. Dropping it without [`leave`](Viewer::leave) is to vanish: no word to anybody.
pub(crate) struct Viewer {
    shared: Arc<Shared>,
    commands: UnboundedSender<Command>,
    task: JoinHandle<()>,
    page: SocketAddr,
    resource: String,
    /// Where the other side takes media.
    pub(crate) media: SocketAddr,
}

/// What the viewer's task and its owner share.
#[derive(Default)]
pub(super) struct Shared {
    log: Mutex<Log>,
    news: Notify,
}

impl Shared {
    /// Changes the log, and wakes whoever waits for something in it.
    fn note(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.lock());
        self.news.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an offer was answered with.
pub(crate) struct Answered {
    /// The answer.
    pub(crate) sdp: String,
    /// The session's path, to leave by.
    pub(crate) resource: String,
}

impl Viewer {
    /// Joins the stream of the page at `page`; an error in words if it is refused.
    pub(crate) async fn join(page: SocketAddr) -> Result<Viewer, String> {
        Viewer::join_for(page, None).await
    }

    /// The same, and gives every frame that can be decoded to `taker`.
    pub(crate) async fn join_for(page: SocketAddr, taker: Option<Taker>) -> Result<Viewer, String> {
        Viewer::by(page, taker, async |offer| {
            let headers = [("Content-Type", "application/sdp")];
            let answer = http::ask(page, "POST", "/whep", &headers, &offer).await?;
            if answer.status != 201 {
                return Err(format!("{}: {}", answer.status, answer.body));
            }
            // It is relative to the endpoint.
            let resource = format!("/{}", answer.header("location"));
            Ok(Answered { sdp: answer.body, resource })
        })
        .await
    }

    /// The same, by whatever way `tell` takes the offer to the other side.
    pub(crate) async fn by(
        page: SocketAddr,
        taker: Option<Taker>,
        tell: impl AsyncFnOnce(String) -> Result<Answered, String>,
    ) -> Result<Viewer, String> {
        let shared = Arc::<Shared>::default();
        let mut connection = Connection::open(Arc::clone(&shared), taker).await?;
        let offer = connection.offer()?;
        let Answered { sdp, resource } = tell(offer).await?;
        let media = connection.answer(&sdp)?;
        let (commands, heard) = unbounded_channel();
        let task = tokio::spawn(connection.run(heard));
        Ok(Viewer { shared, commands, task, page, resource, media })
    }

    /// Tells the task something.
    pub(crate) fn tell(&self, command: Command) {
        // A viewer whose connection has ended hears nothing.
        let _ = self.commands.send(command);
    }

    /// Sends `packet` on the wire, as a datagram of its own.
    pub(crate) fn rtcp(&self, packet: impl FnOnce(u32) -> Box<dyn Packet>) {
        let ssrc = self.log(|log| log.ssrc);
        self.tell(Command::Rtcp(packet(ssrc)));
    }

    /// Says that the picture was lost.
    pub(crate) fn pli(&self) {
        self.rtcp(connection::pli);
    }

    /// Reads something from the log.
    pub(crate) fn log<T>(&self, read: impl FnOnce(&Log) -> T) -> T {
        read(&self.shared.lock())
    }

    /// Keeps every frame that is seen from now on, and forgets those that were kept before.
    pub(crate) fn keep(&self) {
        self.shared.note(|log| {
            log.keep = true;
            log.seen.clear();
        });
    }

    /// Its log, to be read when it is gone too.
    pub(crate) fn book(&self) -> Book {
        Book(Arc::clone(&self.shared))
    }

    /// Waits until `is` holds of the log; `false` if the viewer's patience ends first.
    pub(crate) async fn sees(&self, is: impl Fn(&Log) -> bool) -> bool {
        self.sees_within(DEADLINE, is).await
    }

    /// The same with another patience.
    pub(crate) async fn sees_within(&self, patience: Duration, is: impl Fn(&Log) -> bool) -> bool {
        let seen = async {
            loop {
                let mut news = std::pin::pin!(self.shared.news.notified());
                // From here on no news is missed.
                news.as_mut().enable();
                if self.log(&is) {
                    return;
                }
                news.await;
            }
        };
        timeout(patience, seen).await.is_ok()
    }

    /// Leaves as WHEP wants it: DELETE, then a farewell by DTLS.
    pub(crate) async fn leave(mut self) -> Result<(), String> {
        let answer = http::ask(self.page, "DELETE", &self.resource, &[], "").await?;
        self.tell(Command::Close);
        let _ = timeout(DEADLINE, &mut self.task).await;
        // A session that has ended by itself in the meantime is not there any more.
        if matches!(answer.status, 200 | 404) { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    }
}

/// The log of a viewer that may be gone.
pub(crate) struct Book(Arc<Shared>);

impl Book {
    /// Reads it, or changes it.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut Log) -> T) -> T {
        read(&mut self.0.lock())
    }

    /// Nothing is written into it any more.
    pub(crate) fn is_closed(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
