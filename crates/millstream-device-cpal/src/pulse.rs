//! Whether a device of a PulseAudio server is still the one that was opened.
//!
//! When a device goes, the server moves its streams to another one and says nothing to `cpal`: a microphone's to
//! what a speaker plays, if nothing else is left. A device that comes back has the same name and another index.

use std::ffi::CString;

use futures_executor::block_on;
use millstream_core::device::Kind;
use pulseaudio::Client;

/// A device by its name, and the index it has as long as it is there.
pub(crate) struct Route {
    client: Client,
    kind: Kind,
    name: CString,
    index: u32,
}

impl Route {
    /// The device of `kind` whose id is `id`, if that is one of a PulseAudio server.
    pub(crate) fn to(kind: Kind, id: &str) -> Option<Route> {
        let name = CString::new(id.strip_prefix("pulseaudio:")?).ok()?;
        let client = Client::from_env(c"millstream").ok()?;
        let index = look_up(&client, kind, &name).ok()?;
        Some(Route { client, kind, name, index })
    }

    /// Whether it is gone, and how.
    pub(crate) fn is_lost(&self) -> Option<String> {
        match look_up(&self.client, self.kind, &self.name) {
            Ok(index) if index == self.index => None,
            Ok(_) => Some("it was taken away and came back, and the sound server moved us elsewhere".to_owned()),
            Err(error) => {
                Some(format!("it was taken away ({error}), and the sound server may have moved us elsewhere"))
            }
        }
    }
}

fn look_up(client: &Client, kind: Kind, name: &CString) -> Result<u32, pulseaudio::ClientError> {
    match kind {
        Kind::Microphone => block_on(client.lookup_source_by_name(name.clone())),
        _ => block_on(client.lookup_sink_by_name(name.clone())),
    }
}
