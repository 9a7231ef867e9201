//! What a server that speaks PulseAudio's protocol says: whether it answers, and where a device is there.
//!
//! When a device goes, the server moves its streams to another one and says nothing to `cpal`: a microphone's to
//! what a speaker plays, if nothing else is left. A device that comes back has the same name and another index.
//!
//! One thread of the process asks, so that a server that hangs holds up nobody else. It has one client for as long as
//! the server lives: `pulseaudio` 0.3.2 leaves a thread, three descriptors and a connection behind with each that is
//! dropped before, because its reactor waits for the server alone. One that the server has left has ended by itself.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use futures_executor::block_on;
use millstream_core::device::Kind;
use millstream_core::{Error, Result};
use pulseaudio::{Client, ClientError};

/// How long a server may take to answer: as long as `cpal` gives it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// Questions that wait at most. A server that hangs answers none, and is asked again and again.
const WAITING: usize = 16;

type Question = Box<dyn FnOnce(&mut Option<Client>) + Send>;

static ASKED: LazyLock<Option<SyncSender<Question>>> = LazyLock::new(|| {
    let (asked, questions) = sync_channel::<Question>(WAITING);
    let asks = move || {
        let mut client = None;
        for question in questions {
            // What the client's code breaks is the client's.
            if catch_unwind(AssertUnwindSafe(|| question(&mut client))).is_err() {
                client = None;
            }
        }
    };
    std::thread::Builder::new().name("asks the sound server".to_owned()).spawn(asks).ok().map(|_| asked)
});

/// Puts a question; where the answer comes, or nothing if too many wait for one already.
fn ask<T: Send + 'static>(
    question: impl FnOnce(&Client) -> Result<T, ClientError> + Send + 'static,
) -> Option<Receiver<Result<T, ClientError>>> {
    let (answers, answer) = sync_channel(1);
    let question = move |kept: &mut Option<Client>| {
        let client = kept.take().map_or_else(|| Client::from_env(c"millstream"), Ok);
        let said = client.and_then(|client| {
            let said = question(&client);
            if !matches!(said, Err(ClientError::Disconnected)) {
                *kept = Some(client);
            }
            said
        });
        let _ = answers.send(said);
    };
    ASKED.as_ref()?.try_send(Box::new(question)).ok()?;
    Some(answer)
}

/// Whether the server is not one that takes connections and says nothing. One that there is not is none.
///
/// # Errors
/// If it hangs, and what to do.
pub(crate) fn is_not_stuck() -> Result<()> {
    let answer = ask(|client| block_on(client.server_info()).map(drop));
    match answer.map(|answer| answer.recv_timeout(ANSWERS_WITHIN)) {
        Some(Ok(_)) => Ok(()),
        _ => Err(stuck()),
    }
}

fn stuck() -> Error {
    Error::lost(
        "the sound server does not answer; restart it (`systemctl --user restart pipewire-pulse`, or `pulseaudio -k`)",
    )
}

/// A device by its name, and the index it has as long as it is there.
pub(crate) struct Route {
    kind: Kind,
    name: CString,
    index: u32,
    asked: Option<Receiver<Result<u32, ClientError>>>,
}

impl Route {
    /// The device of `kind` whose id is `id`, if that is one of a PulseAudio server.
    ///
    /// # Errors
    /// If the server knows no such device any more, or does not answer.
    pub(crate) fn to(kind: Kind, id: &str) -> Result<Option<Route>> {
        let name = id.strip_prefix("pulseaudio:").and_then(|name| CString::new(name).ok());
        let Some(name) = name else { return Ok(None) };
        let answer = look_up(kind, &name).ok_or_else(stuck)?;
        match answer.recv_timeout(ANSWERS_WITHIN).map_err(|_| stuck())? {
            Ok(index) => Ok(Some(Route { kind, name, index, asked: None })),
            Err(error) => Err(Error::lost(gone(&error))),
        }
    }

    /// Asks the server where the device is, unless it still owes an answer.
    pub(crate) fn ask(&mut self) {
        if self.asked.is_none() {
            self.asked = look_up(self.kind, &self.name);
        }
    }

    /// Whether it is gone, and how, by what the server answered meanwhile.
    pub(crate) fn is_lost(&mut self) -> Option<String> {
        match self.asked.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {}
            Ok(Ok(index)) if index == self.index => {}
            Ok(Ok(_)) => {
                return Some("it was taken away and came back, and the sound server moved us elsewhere".to_owned());
            }
            Ok(Err(error)) => return Some(gone(&error)),
        }
        self.asked = None;
        None
    }
}

/// What a device that the server does not find has come to.
fn gone(error: &ClientError) -> String {
    match error {
        ClientError::ServerError(error) => {
            format!("it was taken away ({error}), and the sound server may have moved us elsewhere")
        }
        error => format!("the sound server has gone ({error})"),
    }
}

fn look_up(kind: Kind, name: &CString) -> Option<Receiver<Result<u32, ClientError>>> {
    let name = name.clone();
    ask(move |client| match kind {
        Kind::Microphone => block_on(client.lookup_source_by_name(name)),
        _ => block_on(client.lookup_sink_by_name(name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulseaudio::protocol::PulseError;

    #[test]
    fn a_server_that_has_gone_is_told_from_a_device_that_was_taken_away() {
        let dead = gone(&ClientError::Disconnected);
        assert!(dead.contains("the sound server has gone") && !dead.contains("taken away"), "{dead}");
        let unplugged = gone(&ClientError::ServerError(PulseError::NoEntity));
        assert!(unplugged.contains("it was taken away"), "{unplugged}");
    }
}
