//! The sound devices that are there, and which of them is meant.

use std::str::FromStr;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{DeviceId, Host, HostId};
use millstream_core::device::{self, Choice, Device, Kind, Mode};
use millstream_core::{Error, Result};

use crate::{host, quiet};

/// Names of ALSA that convert or throw away and are no devices: they are in every list of `aplay -L`.
const NO_DEVICES: &[&str] =
    &["null", "lavrate", "samplerate", "speexrate", "jack", "oss", "speex", "upmix", "vdownmix", "usbstream"];

/// One that is there, and how it is opened.
pub(crate) struct Found {
    pub(crate) device: cpal::Device,
    pub(crate) listed: Device,
}

/// Microphones or speakers.
pub(crate) fn list(kind: Kind) -> Result<Vec<Device>> {
    // On a thread of its own, because ALSA's complaints are silenced for a thread.
    let looking = std::thread::spawn(move || host::ask(kind, None, |host| all(host, kind)));
    let found =
        looking.join().map_err(|_| Error::lost("the sound system's own code panicked while it was asked"))??;
    Ok(found.into_iter().map(|found| found.listed).collect())
}

/// Which device of `kind` the option `wanted` means, and what it would be asked for.
pub(crate) fn choose(kind: Kind, wanted: Option<&str>) -> Result<Choice> {
    let wanted_there = wanted.map(str::to_owned);
    let looking = std::thread::spawn(move || find(kind, wanted_there.as_deref(), None));
    let found =
        looking.join().map_err(|_| Error::lost("the sound system's own code panicked while it was asked"))??;
    let mode = found.listed.modes.first().cloned();
    let mode = mode.ok_or_else(|| Error::lost(format!("`{}` does not say what it can do", found.listed.id)))?;
    let why = match wanted {
        Some(wanted) if wanted == found.listed.id => "it was named".to_owned(),
        Some(wanted) => format!("it is the one that `{wanted}` means"),
        None if found.listed.default => "it is the default".to_owned(),
        None => "the default is not one that is taken unless it is named, and this is the first that is".to_owned(),
    };
    Ok(Choice { device: found.listed.id, mode, why })
}

/// The device of `kind` that `wanted` means; `host` says which sound system to ask where `wanted` does not.
pub(crate) fn find(kind: Kind, wanted: Option<&str>, host: Option<HostId>) -> Result<Found> {
    let named = wanted.and_then(|wanted| DeviceId::from_str(wanted).ok()).map(|id| id.host());
    let found = host::ask(kind, named.or(host), |host| all(host, kind))?;
    let listed: Vec<Device> = found.iter().map(|found| found.listed.clone()).collect();
    let id = pick(kind, &listed, wanted)?.id.clone();
    found.into_iter().find(|found| found.listed.id == id).ok_or_else(|| Error::lost(format!("`{id}` has just gone")))
}

/// Every device of `kind` that `host` knows.
fn all(host: &Host, kind: Kind) -> Result<Vec<Found>, cpal::Error> {
    let _quiet = quiet::quiet();
    let input = kind == Kind::Microphone;
    let default = if input { host.default_input_device() } else { host.default_output_device() };
    let default = default.and_then(|device| device.id().ok());
    let devices: Vec<cpal::Device> = host.devices()?.collect();
    let name = |device: &cpal::Device| device.description().map(|said| said.name().to_owned()).unwrap_or_default();
    let mut found = Vec::new();
    for device in &devices {
        let Ok(id) = device.id() else { continue };
        // Compared as text: other systems have no such host.
        let alsa = id.to_string().starts_with("alsa:");
        if alsa && NO_DEVICES.contains(&id.id().split(':').next().unwrap_or_default()) {
            continue;
        }
        let config = if input { device.default_input_config() } else { device.default_output_config() };
        let Ok(config) = config else { continue };
        let mode = Mode::Audio {
            rates: (config.sample_rate(), config.sample_rate()),
            channels: config.channels(),
            format: config.sample_format().to_string(),
        };
        let note = is_monitor(kind, &id.to_string()).then(|| {
            let speaker = id.id().trim_end_matches(MONITOR);
            let of = devices.iter().find(|device| device.id().is_ok_and(|id| id.id() == speaker));
            format!("the sound that goes to {}", of.map_or(speaker.to_owned(), name))
        });
        found.push(Found {
            device: device.clone(),
            listed: Device {
                kind,
                id: id.to_string(),
                name: name(device),
                default: default.as_ref() == Some(&id),
                modes: vec![mode],
                note,
            },
        });
    }
    Ok(found)
}

/// How PulseAudio's protocol names what records a speaker.
const MONITOR: &str = ".monitor";

/// Whether `id` gives what a speaker plays: nobody's voice, and of a call the voice of the others.
fn is_monitor(kind: Kind, id: &str) -> bool {
    kind == Kind::Microphone && id.starts_with("pulseaudio:") && id.ends_with(MONITOR)
}

/// Which of `devices` is meant by `wanted`: an id, with or without the host before it, or a part of one id or name
/// that no other has. A monitor is meant only by its whole id.
fn pick<'a>(kind: Kind, devices: &'a [Device], wanted: Option<&str>) -> Result<&'a Device> {
    let usable = || devices.iter().filter(|device| !is_monitor(kind, &device.id));
    let Some(wanted) = wanted else {
        let found = usable().find(|device| device.default).or_else(|| usable().next());
        return found.ok_or_else(|| none(kind, devices));
    };
    let bare = |device: &Device| device.id.split_once(':').map(|(_, id)| id == wanted).unwrap_or(false);
    if let Some(device) = devices.iter().find(|device| device.id == wanted || bare(device)) {
        return Ok(device);
    }
    let lower = wanted.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&lower);
    let parts: Vec<&Device> = usable().filter(|device| has(&device.id) || has(&device.name)).collect();
    match parts.as_slice() {
        [one] => Ok(one),
        [] if devices.is_empty() => Err(none(kind, devices)),
        [] => device::find(devices, wanted),
        many => {
            let ids: Vec<&str> = many.iter().map(|device| device.id.as_str()).collect();
            Err(Error::config(format!("`{wanted}` could be any of {}; name one", ids.join(", "))))
        }
    }
}

fn none(kind: Kind, devices: &[Device]) -> Error {
    let monitors = devices.iter().map(|device| device.id.as_str()).collect::<Vec<_>>().join(", ");
    let hint = if monitors.is_empty() {
        "plug one in; where there is no sound server, start PipeWire or PulseAudio, or join the group `audio` for ALSA"
            .to_owned()
    } else {
        format!("plug one in, or name one of what speakers play: {monitors}")
    };
    Error::lost(format!("there is no {kind}; {hint} (`millstream devices` lists them)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, name: &str, default: bool) -> Device {
        let (id, name) = (id.to_owned(), name.to_owned());
        Device { kind: Kind::Microphone, id, name, default, modes: Vec::new(), note: None }
    }

    fn picked(devices: &[Device], wanted: Option<&str>) -> Result<String, String> {
        pick(Kind::Microphone, devices, wanted).map(|device| device.id.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_device_is_meant_by_its_id_or_by_a_part_that_no_other_has() {
        let devices = [
            device("pulseaudio:spk.monitor", "Monitor of Speakers", true),
            device("pulseaudio:usb-mic", "Blue Yeti", false),
            device("pulseaudio:pci-mic", "Built-in", false),
        ];
        let is = |wanted, id: &str| assert_eq!(picked(&devices, wanted).as_deref(), Ok(id));
        is(Some("yeti"), "pulseaudio:usb-mic");
        is(Some("pci"), "pulseaudio:pci-mic");
        is(Some("usb-mic"), "pulseaudio:usb-mic");
        is(Some("spk.monitor"), "pulseaudio:spk.monitor");
        // Not what the speaker plays, though the server says that it is the default.
        is(None, "pulseaudio:usb-mic");
        let words = |wanted| picked(&devices, wanted).unwrap_err();
        assert!(words(Some("mic")).contains("could be any of pulseaudio:usb-mic, pulseaudio:pci-mic"));
        assert!(words(Some("speakers")).contains("no device `speakers`; there are: "));
        assert!(words(Some("pulseaudio:usb-mik")).contains("did you mean `pulseaudio:usb-mic`?"));
    }

    #[test]
    fn where_there_is_none_it_says_what_to_do() {
        assert!(picked(&[], None).unwrap_err().contains("start PipeWire or PulseAudio"));
        assert!(picked(&[], Some("yeti")).unwrap_err().contains("there is no microphone"));
        let monitor = [device("pulseaudio:spk.monitor", "Monitor", true)];
        assert!(picked(&monitor, None).unwrap_err().contains("name one of what speakers play: pulseaudio:spk.monitor"));
    }
}
