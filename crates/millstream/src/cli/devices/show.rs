//! Devices in words, and as JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::core::Registry;
use crate::core::device::{Device, Kind};
use serde_json::{Value, json};

use super::ask::{Answer, Refusal};

/// Modes that are shown of each device: cameras have dozens, best first.
const MODES: usize = 8;

/// All of `answers` for people, and what this build lacks.
pub(super) fn text(answers: &[Answer], registry: &Registry) -> String {
    let mut text = String::new();
    for answer in answers {
        paragraph(&mut text, answer);
    }
    let there: BTreeSet<Kind> = answers.iter().map(|answer| answer.kind).collect();
    if there.len() != 1 {
        for kind in [Kind::Camera, Kind::Microphone, Kind::Speaker, Kind::Screen] {
            if let Some(feature) = registry.missing_feature(&kind.to_string()).filter(|_| !there.contains(&kind)) {
                line(&mut text, 0, &format!("{kind}: not in this build; build with `--features {feature}`"));
            }
        }
    }
    if text.is_empty() {
        line(&mut text, 0, "This build opens no devices.");
    }
    text
}

fn paragraph(text: &mut String, answer: &Answer) {
    let Answer { kind, stage, look, choice } = answer;
    match look {
        Err(words) => line(text, 0, &format!("{kind}: {words}")),
        Ok(devices) if devices.is_empty() => line(text, 0, &format!("{kind}: none; {}", advice(*kind))),
        Ok(devices) => {
            line(text, 0, &format!("{kind} (type = \"{stage}\")"));
            devices.iter().for_each(|device| one(text, device));
        }
    }
    // Where nothing is chosen, the command ends with the reason.
    if let Some(Ok(choice)) = choice {
        line(text, 1, &format!("a stage with these options takes {} at {}", choice.device, choice.mode));
        line(text, 2, &format!("because {}", choice.why));
    }
}

fn one(text: &mut String, device: &Device) {
    let default = if device.default { ", taken if none is named" } else { "" };
    line(text, 1, &format!("{}{default}", device.name));
    line(text, 2, &format!("device = {:?}", device.id));
    for mode in device.modes.iter().take(MODES) {
        line(text, 2, &mode.to_string());
    }
    if device.modes.len() > MODES {
        line(text, 2, &format!("and {} modes more; --json shows them", device.modes.len() - MODES));
    }
    if let Some(note) = &device.note {
        line(text, 2, note);
    }
}

/// What to do where there is none.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Camera => {
            "plug one in; on Linux it is then a /dev/video that the group `video` may read (`id` shows yours)"
        }
        Kind::Microphone => "plug one in, or see that the sound server has a source: `pactl list short sources`",
        Kind::Speaker => "plug one in, or see that the sound server has a sink: `pactl list short sinks`",
        Kind::Screen => "start an X server and set DISPLAY: `Xvfb :77 -screen 0 1280x720x24 -noreset`",
        _ => "plug one in",
    }
}

fn line(text: &mut String, depth: usize, words: &str) {
    let _ = writeln!(text, "{}{words}", "    ".repeat(depth));
}

/// All of `answers` for scripts: `devices`, `errors`, and what would be chosen, `choices`.
pub(super) fn json(answers: &[Answer]) -> String {
    let (mut devices, mut errors, mut choices) = (Vec::new(), Vec::new(), Vec::new());
    for Answer { kind, stage, look, choice } in answers {
        match look {
            Ok(found) => devices.extend(found.iter().map(|device| object(device, stage))),
            Err(words) => errors.push(json!({ "kind": kind, "stage": stage, "message": words })),
        }
        choices.extend(choice.iter().map(|choice| match choice {
            Ok(choice) => json!({ "stage": stage, "device": choice.device, "mode": choice.mode, "why": choice.why }),
            Err(Refusal::Options(words)) => json!({ "stage": stage, "error": words.join("; ") }),
            Err(Refusal::Device(words)) => json!({ "stage": stage, "error": words }),
        }));
    }
    let all = json!({ "devices": devices, "errors": errors, "choices": choices });
    serde_json::to_string_pretty(&all).unwrap_or_else(|error| error.to_string())
}

/// A device, and the stage type that opens it.
pub(super) fn object(device: &Device, stage: &str) -> Value {
    let mut object = json!(device);
    object["stage"] = stage.into();
    object
}

#[cfg(test)]
mod tests {
    use super::super::ask::ask;
    use super::*;
    use crate::core::Error;
    use crate::core::device::{Choice, Devices, Mode};
    use crate::core::options::{self, Table};
    use crate::core::units::FrameRate;
    use std::sync::Arc;

    /// Two cameras, a sound server that is gone, no speaker, and a driver that panics.
    fn register(registry: &mut Registry) {
        // The options of `test-video`: a width is among them.
        type Wanted = crate::stages::test_video::Options;
        fn camera(id: &str, default: bool) -> Device {
            let mode =
                |n: u32| Mode::Video { width: 100 * n, height: 90, fps: FrameRate::THIRTY, format: "YUYV".into() };
            let modes = (1..=10).map(mode).collect();
            Device { kind: Kind::Camera, id: id.into(), name: format!("Camera {id}"), default, modes, note: None }
        }
        registry.add_devices(Devices::new::<Wanted>(
            Kind::Camera,
            "camera",
            || Ok(vec![camera("front", true), camera("back", false)]),
            |wanted| {
                let mode =
                    Mode::Video { width: wanted.width.get(), height: 90, fps: wanted.fps, format: "YUYV".into() };
                Ok(Choice { device: "front".into(), mode, why: "it is nearest".into() })
            },
        ));
        registry.add_devices(Devices::new::<Wanted>(
            Kind::Microphone,
            "microphone",
            || Err(Error::lost("no sound server")),
            |_| Err(Error::lost("no sound server")),
        ));
        registry.add_devices(Devices::new::<Wanted>(
            Kind::Speaker,
            "speaker",
            || Ok(Vec::new()),
            |_| Err(Error::lost("there is none")),
        ));
        registry.add_devices(Devices::new::<Wanted>(
            Kind::Screen,
            "screen",
            || panic!("a bad driver"),
            |_| panic!("a bad driver"),
        ));
    }

    fn registry() -> Arc<Registry> {
        let mut registry = Registry::new();
        register(&mut registry);
        Arc::new(registry)
    }

    #[test]
    fn what_fails_or_panics_hides_nothing_else() {
        let registry = registry();
        let answers = ask(&registry, None, None);
        let text = text(&answers, &registry);
        for words in [
            "Camera front, taken if none is named",
            "device = \"back\"",
            "100x90 at 30, YUYV",
            "and 2 modes more",
            "microphone: no sound server",
            "speaker: none; plug one in",
            "screen: the plug-in panicked",
        ] {
            assert!(text.contains(words), "{words} in\n{text}");
        }
        let json: Value = serde_json::from_str(&json(&answers)).unwrap();
        assert_eq!(json["devices"].as_array().unwrap().len(), 2);
        assert_eq!(json["devices"][0]["stage"], "camera");
        assert_eq!(json["devices"][0]["modes"][9]["width"], 1000);
        assert_eq!(json["errors"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn the_choice_is_that_of_a_stage_with_these_options() {
        let registry = registry();
        let ask = |table: Table| ask(&registry, Some(Kind::Camera), Some(table));
        let answers = ask(Table::from([("width".to_owned(), options::Value::Integer(640))]));
        let text = text(&answers, &registry);
        assert!(text.contains("takes front at 640x90 at 30, YUYV") && text.contains("because it is nearest"), "{text}");
        let answers = ask(Table::from([("widht".to_owned(), options::Value::Integer(640))]));
        let failure = answers.into_iter().next().unwrap().into_failure();
        let Some(super::super::Failure::Set(words)) = failure else { panic!("the options are wrong") };
        assert!(words.contains("did you mean `width`?"), "{words}");
    }
}
