//! A thread that keeps a device open: opens it, watches it, and opens it again when it was lost.
//!
//! It alone calls into the sound system, which may block for as long as it likes: whoever uses the device hears
//! of it through a channel, and at the end nobody waits for a driver.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use cpal::HostId;
use cpal::traits::StreamTrait;
use millstream_core::device::Kind;
use millstream_core::{Clock, Error, Result};

use crate::health::Health;
use crate::list::{self, Found};
use crate::{host, quiet};

/// How long opening may take before a pipeline is refused: a server that hangs is asked for 2 s by `cpal`.
const OPENS_WITHIN: Duration = Duration::from_secs(10);
/// How often a stream is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the sound system is asked whether the device is still there, in looks.
const ASK_EVERY: u32 = 3;
/// How long after a loss it is tried again: the first time, and at most.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// How long a stream may take to start: a microphone's waits for its first sound, which may never come.
const STARTS_WITHIN: Duration = Duration::from_secs(5);
/// How long a stream may take to close before another thread is left with it.
const CLOSES_WITHIN: Duration = Duration::from_millis(500);

/// What happened to a device.
pub(crate) enum News<S> {
    /// It is open.
    Opened(S),
    /// It was lost, and why. It is being opened again.
    Lost(String),
}

/// A stream that was made and not yet started.
pub(crate) struct Stream<S> {
    pub(crate) stream: cpal::Stream,
    pub(crate) health: Arc<Health>,
    /// How long a callback's sound lasts.
    pub(crate) period: Duration,
    /// What it is, for the log.
    pub(crate) what: String,
    pub(crate) session: S,
}

/// The device that is kept. Dropping it closes the device, unless a driver blocks: then it is left behind.
pub(crate) struct Kept<S> {
    news: Receiver<News<S>>,
    stop: Option<Sender<Infallible>>,
}

/// Keeps the device of `kind` that `wanted` means open for the stage `name`; `open` makes its stream.
///
/// # Errors
/// Why it cannot be opened now. Later on it is tried again.
pub(crate) fn keep<S: Send + 'static>(
    name: &str,
    clock: Clock,
    kind: Kind,
    wanted: Option<String>,
    open: impl FnMut(&Found) -> Result<Stream<S>> + Send + 'static,
) -> Result<Kept<S>> {
    let (news_in, news) = mpsc::channel();
    let (stop, stopped) = mpsc::channel();
    let (first_in, first) = mpsc::channel();
    let keeper = Keeper { name: name.to_owned(), clock, kind, wanted, last: None, open, news: news_in, stopped };
    std::thread::Builder::new()
        .name(format!("{name}: {kind}"))
        .spawn(move || keeper.run(&first_in))
        .map_err(|error| Error::fatal("no thread for the device").caused_by(error))?;
    match first.recv_timeout(OPENS_WITHIN) {
        Ok(opened) => opened?,
        Err(RecvTimeoutError::Disconnected) => return Err(died()),
        Err(RecvTimeoutError::Timeout) => {
            return Err(Error::lost(format!("the {kind} was not open after {OPENS_WITHIN:?}; is its driver stuck?")));
        }
    }
    Ok(Kept { news, stop: Some(stop) })
}

fn died() -> Error {
    Error::fatal("the thread that keeps the device open has died")
}

impl<S> Kept<S> {
    /// What happened since it was asked last, first first.
    ///
    /// # Errors
    /// If the thread is gone: it panicked in a driver.
    pub(crate) fn news(&self) -> Result<Option<News<S>>> {
        match self.news.try_recv() {
            Ok(news) => Ok(Some(news)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(died()),
        }
    }
}

#[cfg(test)]
impl<S> Kept<S> {
    /// A device that there is none of: what happened to it is said by hand.
    pub(crate) fn by_hand() -> (Sender<News<S>>, Kept<S>) {
        let (hand, news) = mpsc::channel();
        (hand, Kept { news, stop: None })
    }
}

impl<S> Drop for Kept<S> {
    fn drop(&mut self) {
        self.stop = None;
        // Until the thread lets go of its end, so that the device can be opened again at once.
        while let Ok(News::Opened(_) | News::Lost(_)) = self.news.recv_timeout(CLOSES_WITHIN) {}
    }
}

struct Keeper<S, F> {
    name: String,
    clock: Clock,
    kind: Kind,
    wanted: Option<String>,
    /// The device that was open last: it is preferred where none is named.
    last: Option<(HostId, String)>,
    open: F,
    news: Sender<News<S>>,
    stopped: Receiver<Infallible>,
}

impl<S: Send + 'static, F: FnMut(&Found) -> Result<Stream<S>>> Keeper<S, F> {
    fn run(mut self, first: &Sender<Result<()>>) {
        let _quiet = quiet::quiet();
        let (mut back_off, mut opened_before, mut told) = (BACK_OFF[0], false, String::new());
        loop {
            // What a driver's code breaks is its own: the stream that it was to make is not used.
            let opened = catch_unwind(AssertUnwindSafe(|| self.open()))
                .unwrap_or_else(|_| Err(Error::lost("the sound system's own code panicked; see the log")));
            match opened {
                Ok((opened, mut route)) => {
                    let Stream { stream, health, period, what, session } = opened;
                    let _ = first.send(Ok(()));
                    match opened_before {
                        // Whoever was told of the loss is told of its end.
                        true => tracing::warn!("{}: {what}, is back", self.name),
                        false => tracing::info!("{}: {what}", self.name),
                    }
                    opened_before = true;
                    if self.news.send(News::Opened(session)).is_err() {
                        return close(stream);
                    }
                    let opened = self.clock.now();
                    let lost = self.watch(&health, period, &mut route);
                    tracing::debug!("{}: {} xruns", self.name, health.xruns());
                    close(stream);
                    let Some(lost) = lost else { return };
                    let why = format!("{what}: {lost}");
                    // The runner's own line about it is not in everybody's log.
                    tracing::warn!("{}: lost: {why}", self.name);
                    let _ = self.news.send(News::Lost(why));
                    told.clear();
                    // One that fails as soon as it is open is not tried as often.
                    if self.clock.now().since(opened) > BACK_OFF[1] * 2 {
                        back_off = BACK_OFF[0];
                    }
                }
                Err(error) if !opened_before => return drop(first.send(Err(error))),
                Err(error) => {
                    let words = error.to_string();
                    if words != told {
                        tracing::warn!("{}: not back yet: {words}", self.name);
                        told = words;
                    }
                }
            }
            if self.is_stopped_within(back_off) {
                return;
            }
            back_off = (back_off * 2).min(BACK_OFF[1]);
        }
    }

    fn open(&mut self) -> Result<(Stream<S>, Route)> {
        let found = self.find()?;
        let Stream { stream, health, period, what, session } = (self.open)(&found)?;
        let route = match Route::to(self.kind, &found.listed.id) {
            Ok(route) => route,
            Err(error) => {
                close(stream);
                return Err(error);
            }
        };
        let stream = start(self.kind, stream)?;
        if let Ok(id) = cpal::traits::DeviceTrait::id(&found.device) {
            self.last = Some((id.host(), found.listed.id));
        }
        Ok((Stream { stream, health, period, what, session }, route))
    }

    /// The device that is named; else the one that was open last, or what is the default now.
    fn find(&self) -> Result<Found> {
        let host = self.last.as_ref().map(|(host, _)| *host);
        match (&self.wanted, &self.last) {
            (None, Some((_, last))) => {
                list::find(self.kind, Some(last), host).or_else(|_| list::find(self.kind, None, host))
            }
            (wanted, _) => list::find(self.kind, wanted.as_deref(), host),
        }
    }

    /// Watches a stream until it is lost, and says why; nothing if it is no longer wanted.
    fn watch(&self, health: &Health, period: Duration, route: &mut Route) -> Option<String> {
        let mut looks = 0_u32;
        loop {
            if self.is_stopped_within(LOOK_EVERY) {
                return None;
            }
            looks += 1;
            if looks.is_multiple_of(ASK_EVERY) {
                route.ask();
            }
            if let Some(lost) = health.is_dead(self.clock.now(), period).or_else(|| route.is_lost()) {
                return Some(lost);
            }
        }
    }

    fn is_stopped_within(&self, span: Duration) -> bool {
        matches!(self.stopped.recv_timeout(span), Err(RecvTimeoutError::Disconnected))
    }
}

/// Starts a stream on a thread that nobody needs: a server that hangs, or a device that went meanwhile, hangs there.
fn start(kind: Kind, stream: cpal::Stream) -> Result<cpal::Stream> {
    let (done, started) = mpsc::channel();
    let starting = move || {
        let said = stream.play();
        let _ = done.send(said.map(|()| stream));
    };
    std::thread::Builder::new()
        .name("starting a sound device".to_owned())
        .spawn(starting)
        .map_err(|error| Error::fatal("no thread for the device").caused_by(error))?;
    match started.recv_timeout(STARTS_WITHIN) {
        Ok(said) => said.map_err(|error| host::explained(kind, &error)),
        Err(_) => Err(Error::lost(format!("the {kind} was open, and did not begin within {STARTS_WITHIN:?}"))),
    }
}

/// Closes a stream on a thread that nobody needs: a server that hangs, hangs there.
fn close(stream: cpal::Stream) {
    let (done, closed) = mpsc::channel::<Infallible>();
    let closing = std::thread::Builder::new().name("closing a sound device".to_owned()).spawn(move || {
        drop(stream);
        drop(done);
    });
    if closing.is_ok() {
        let _ = closed.recv_timeout(CLOSES_WITHIN);
    }
}

/// Whether a stream still plays to, or records from, the device it was opened with. Nobody waits for the answer.
struct Route {
    #[cfg(feature = "pulseaudio")]
    pulse: Option<crate::pulse::Route>,
}

#[cfg_attr(not(feature = "pulseaudio"), expect(clippy::unused_self, reason = "only a sound server moves streams"))]
impl Route {
    #[cfg_attr(not(feature = "pulseaudio"), expect(unused_variables, reason = "only a sound server moves streams"))]
    fn to(kind: Kind, id: &str) -> Result<Route> {
        Ok(Route {
            #[cfg(feature = "pulseaudio")]
            pulse: crate::pulse::Route::to(kind, id)?,
        })
    }

    fn ask(&mut self) {
        #[cfg(feature = "pulseaudio")]
        if let Some(pulse) = &mut self.pulse {
            pulse.ask();
        }
    }

    fn is_lost(&mut self) -> Option<String> {
        #[cfg(feature = "pulseaudio")]
        return self.pulse.as_mut().and_then(crate::pulse::Route::is_lost);
        #[cfg(not(feature = "pulseaudio"))]
        None
    }
}
