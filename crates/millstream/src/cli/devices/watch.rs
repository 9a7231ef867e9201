//! `millstream devices --watch`: a line whenever a device comes, goes or changes.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::core::device::{Device, Kind};
use crate::core::{Clock, Error, Registry};
use serde_json::{Value, json};

use super::super::{Failure, terminal};
use super::{ask, show};

/// How long between two looks: drivers are asked, which some feel.
const EVERY: Duration = Duration::from_secs(1);

/// Says what is there, and then what comes and goes, until Ctrl-C.
pub(super) fn watch(registry: &Arc<Registry>, kind: Option<Kind>, json: bool) -> Result<(), Failure> {
    let no_signals = |error| Failure::Failed(Error::fatal("Ctrl-C cannot be listened for").caused_by(error));
    // A thread that hangs in a driver cannot be told to stop, and need not be.
    ctrlc::set_handler(|| std::process::exit(0)).map_err(no_signals)?;
    let (tell, changes) = mpsc::channel();
    for (index, devices) in ask::asked(registry, kind) {
        let (registry, tell, kind, stage) = (Arc::clone(registry), tell.clone(), devices.kind(), devices.stage());
        thread::spawn(move || {
            let mut before = None;
            while let Some(devices) = registry.devices().nth(index) {
                let now = ask::look(devices);
                let all = compare(before.as_ref(), &now);
                if all.into_iter().any(|change| tell.send((kind, stage, change)).is_err()) {
                    return;
                }
                before = Some(now);
                thread::park_timeout(EVERY);
            }
        });
    }
    drop(tell);
    terminal::say_error("watching; Ctrl-C stops");
    let clock = Clock::system();
    for (kind, stage, change) in changes {
        let millis = clock.utc(clock.now()).unix_millis();
        terminal::say(&if json { change.json(kind, stage, millis) } else { change.text(kind, millis) });
    }
    Ok(())
}

/// What is otherwise than it was.
#[derive(Debug, PartialEq)]
enum Change {
    /// It was there when we came.
    There(Device),
    Came(Device),
    Gone(Device),
    /// It can do other things than it could, or is another's default.
    Changed(Device),
    /// It cannot be looked any more.
    Failed(String),
    /// It can be looked again.
    Works,
}

fn compare(before: Option<&ask::Look>, now: &ask::Look) -> Vec<Change> {
    let mut changes = Vec::new();
    let nothing = Vec::new();
    let (then, first) = match before {
        None => (&nothing, true),
        Some(Ok(then)) => (then, false),
        // What was there before is not known: those that are there now have come.
        Some(Err(_)) => (&nothing, false),
    };
    match (before, now) {
        (Some(Err(said)), Err(words)) if said == words => return changes,
        (_, Err(words)) => {
            changes.push(Change::Failed(words.clone()));
            return changes;
        }
        (Some(Err(_)), Ok(_)) => changes.push(Change::Works),
        _ => {}
    }
    let now = now.as_ref().unwrap_or(&nothing);
    let same = |one: &Device, other: &Device| one.id == other.id;
    let gone = then.iter().filter(|device| !now.iter().any(|other| same(device, other)));
    changes.extend(gone.cloned().map(Change::Gone));
    for device in now {
        match then.iter().find(|other| same(device, other)) {
            None if first => changes.push(Change::There(device.clone())),
            None => changes.push(Change::Came(device.clone())),
            Some(other) if other != device => changes.push(Change::Changed(device.clone())),
            Some(_) => {}
        }
    }
    changes
}

impl Change {
    fn word(&self) -> &'static str {
        match self {
            Change::There(_) => "there",
            Change::Came(_) => "came",
            Change::Gone(_) => "gone",
            Change::Changed(_) => "changed",
            Change::Failed(_) => "failed",
            Change::Works => "works again",
        }
    }

    fn device(&self) -> Option<&Device> {
        match self {
            Change::There(device) | Change::Came(device) | Change::Gone(device) | Change::Changed(device) => {
                Some(device)
            }
            Change::Failed(_) | Change::Works => None,
        }
    }

    /// `18:03:12 came camera "usb-1" (HD Webcam)`, in UTC.
    fn text(&self, kind: Kind, millis: u64) -> String {
        let seconds = millis / 1000;
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let what = match (self, self.device()) {
            (_, Some(device)) => {
                let default = if device.default { ", taken if none is named" } else { "" };
                format!(" {:?} ({}{default})", device.id, device.name)
            }
            (Change::Failed(words), None) => format!(": {words}"),
            (_, None) => String::new(),
        };
        format!("{hour:02}:{minute:02}:{second:02} {} {kind}{what}", self.word())
    }

    fn json(&self, kind: Kind, stage: &str, millis: u64) -> String {
        let device = self.device().map_or(Value::Null, |device| show::object(device, stage));
        let message = if let Change::Failed(words) = self { json!(words) } else { Value::Null };
        json!({ "unix-ms": millis, "event": self.word(), "kind": kind, "device": device, "message": message })
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, default: bool) -> Device {
        let name = format!("The {id}");
        Device { kind: Kind::Camera, id: id.into(), name, default, modes: Vec::new(), note: None }
    }

    fn words(before: Option<ask::Look>, now: ask::Look) -> Vec<String> {
        let noon = 12 * 3_600_000 + 1000;
        compare(before.as_ref(), &now).iter().map(|change| change.text(Kind::Camera, noon)).collect()
    }

    #[test]
    fn what_comes_goes_and_changes_is_said_once() {
        let (front, back) = (|default| device("front", default), || device("back", false));
        assert_eq!(
            words(None, Ok(vec![front(true)])),
            ["12:00:01 there camera \"front\" (The front, taken if none is named)"]
        );
        assert!(words(Some(Ok(vec![front(true)])), Ok(vec![front(true)])).is_empty());
        assert_eq!(
            words(Some(Ok(vec![front(true), back()])), Ok(vec![front(false), device("new", true)])),
            [
                "12:00:01 gone camera \"back\" (The back)",
                "12:00:01 changed camera \"front\" (The front)",
                "12:00:01 came camera \"new\" (The new, taken if none is named)",
            ]
        );
    }

    #[test]
    fn what_cannot_be_looked_at_is_said_once_and_so_is_its_return() {
        let denied = || Err("denied".to_owned());
        assert_eq!(words(None, denied()), ["12:00:01 failed camera: denied"]);
        assert!(words(Some(denied()), denied()).is_empty());
        assert_eq!(words(Some(Ok(vec![device("front", false)])), denied()), ["12:00:01 failed camera: denied"]);
        assert_eq!(
            words(Some(denied()), Ok(vec![device("front", false)])),
            ["12:00:01 works again camera", "12:00:01 came camera \"front\" (The front)"]
        );
    }
}
