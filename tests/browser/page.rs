//! The page as people meet it: at two sizes, by day and by night, in each of its states.

use std::path::PathBuf;

use chromiumoxide::cdp::browser_protocol::accessibility::GetFullAxTreeParams;
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams,
};
use chromiumoxide::cdp::browser_protocol::input::{DispatchKeyEventParams, DispatchKeyEventType};
use chromiumoxide::cdp::browser_protocol::page::CaptureScreenshotFormat;
use chromiumoxide::page::ScreenshotParams;

use crate::chromium::{Viewer, load, with_chromium};
use crate::server::Server;

/// A desktop, and a phone upright and on its side.
const SIZES: [(i64, i64); 3] = [(1440, 900), (390, 844), (844, 390)];
/// Those that docs/page shows.
const SHOWN: [(i64, i64); 2] = [SIZES[0], SIZES[1]];
const SCHEMES: [&str; 2] = ["light", "dark"];

#[test]
fn it_waits_for_the_first_picture_plays_and_ends() {
    with_chromium(async |chromium| {
        // Not running yet: the server answers, and nothing comes.
        let (pipeline, address) = load("demo", &[]);
        let viewer = chromium.open(&address).await;
        viewer.until("probe.connected(20000)").await;
        looks_good(&viewer, "connecting").await;

        let running = pipeline.spawn().unwrap();
        viewer.playing().await;
        viewer
            .until("probe.until(() => millstream.state === 'playing' && millstream.stats?.latency != null, 20000)")
            .await;
        // Long enough that the graph has a line.
        let points = if std::env::var_os("MILLSTREAM_SCREENSHOTS").is_some() { 40 } else { 4 };
        let line = "document.getElementById('line').getAttribute('d')?.split('L').length";
        viewer.until(&format!("probe.until(() => {line} > {points}, 90000)")).await;
        looks_good(&viewer, "playing").await;
        let light: f64 = viewer.value("probe.light()").await;
        assert!(light > 10.0, "the picture is black: {light}");
        let shown: Vec<String> =
            viewer.value("[...document.querySelectorAll('#numbers dd')].map(dd => dd.textContent.trim())").await;
        assert!(shown.iter().all(|words| !words.starts_with('–')), "{shown:?}");
        assert!(shown.contains(&"1280 × 720".to_owned()), "{shown:?}");

        running.stop();
        running.wait().unwrap();
        viewer.state("ended").await;
        looks_good(&viewer, "ended").await;

        // It comes back by itself.
        let port = address.trim_end_matches('/').rsplit(':').next().expect("a port");
        let (pipeline, _) = load("demo", &[&format!("page.bind=127.0.0.1:{port}")]);
        let running = pipeline.spawn().unwrap();
        viewer.state("playing").await;
        running.stop();
        running.wait().unwrap();
    });
}

#[test]
fn a_server_that_stands_still_is_lost_and_found_again_and_one_that_is_killed_has_ended() {
    with_chromium(async |chromium| {
        let server = Server::start(&[]);
        let viewer = chromium.open(server.address()).await;
        viewer.state("playing").await;
        server.signal("STOP");
        viewer.state("lost").await;
        looks_good(&viewer, "lost").await;
        server.signal("CONT");
        viewer.state("playing").await;
        server.signal("KILL");
        viewer.state("ended").await;
    });
}

#[test]
fn who_has_no_token_is_asked_for_it() {
    with_chromium(async |chromium| {
        let (pipeline, address) = load("demo", &["page.token=\"a-good-token-of-mine\""]);
        let running = pipeline.spawn().unwrap();
        let (door, token) = address.split_once("#token=").expect("the link has the token in it");
        let viewer = chromium.open(door).await;
        viewer.state("locked").await;
        viewer.until("probe.until(() => document.activeElement.id === 'token', 20000)").await;
        looks_good(&viewer, "locked").await;
        for (typed, state) in [("a-wrong-token-of-yours", "locked"), (token, "playing")] {
            viewer.value::<bool>("millstream.state = 'typing', true").await;
            viewer
                .0
                .find_element("#token")
                .await
                .unwrap()
                .click()
                .await
                .unwrap()
                .type_str(typed)
                .await
                .unwrap()
                .press_key("Enter")
                .await
                .unwrap();
            viewer.state(state).await;
        }
        let viewer = chromium.open(&address).await;
        viewer.state("playing").await;
        let logged: bool = viewer.value("performance.getEntries().some(entry => entry.name.includes('token='))").await;
        assert!(logged, "only the page's own address has it");
        let asked: bool =
            viewer.value("performance.getEntriesByType('resource').some(entry => entry.name.includes('token='))").await;
        assert!(!asked, "no request carries the token in its address");
        running.stop();
        running.wait().unwrap();
    });
}

#[test]
fn it_plays_over_https() {
    use chromiumoxide::cdp::browser_protocol::security::SetIgnoreCertificateErrorsParams;
    with_chromium(async |chromium| {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = std::env::temp_dir().join(format!("millstream-https-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("certificate.pem"), pair.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        let set = |key: &str, name: &str| format!("page.{key}={}", folder.join(name).display());
        let (pipeline, address) = load("demo", &[&set("certificate", "certificate.pem"), &set("key", "key.pem")]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(address.starts_with("https://"), "{address}");
        let running = pipeline.spawn().unwrap();
        let viewer = chromium.open("about:blank").await;
        viewer.0.execute(SetIgnoreCertificateErrorsParams::new(true)).await.unwrap();
        viewer.goto(&address).await;
        viewer.state("playing").await;
        running.stop();
        running.wait().unwrap();
    });
}

#[test]
fn keys_do_what_the_help_says() {
    with_chromium(async |chromium| {
        let (pipeline, address) = load("demo", &[]);
        let running = pipeline.spawn().unwrap();
        let viewer = chromium.open(&address).await;
        viewer.state("playing").await;
        for (key, holds) in [
            ("m", "!document.querySelector('video').muted"),
            (" ", "document.querySelector('video').muted"),
            ("i", "document.getElementById('numbers').hidden"),
            ("i", "!document.getElementById('numbers').hidden"),
            ("f", "Boolean(document.fullscreenElement)"),
            ("f", "!document.fullscreenElement"),
            ("?", "document.getElementById('help').open"),
            ("m", "document.querySelector('video').muted"),
            ("?", "!document.getElementById('help').open"),
        ] {
            viewer.press(key).await;
            viewer.until(&format!("probe.until(() => {holds}, 20000)")).await;
        }
        running.stop();
        running.wait().unwrap();
    });
}

#[test]
fn ice_restarts_in_the_midst_of_the_picture() {
    if !millstream::webrtc_rs::engine().capabilities().ice_restart {
        return millstream_testkit::skipped("an engine that restarts ICE");
    }
    with_chromium(async |chromium| {
        let (pipeline, address) = load("demo", &["video.width=640", "video.height=360"]);
        let running = pipeline.spawn().unwrap();
        let viewer = chromium.open(&address).await;
        viewer.state("playing").await;
        let before: String = viewer.value("millstream.pc.remoteDescription.sdp.match(/a=ice-ufrag:.*/)[0]").await;
        let restarted: String = viewer
            .value("millstream.restart().then(() => millstream.pc.remoteDescription.sdp.match(/a=ice-ufrag:.*/)[0])")
            .await;
        assert_ne!(before, restarted);
        // The way of the new ICE session is in use, and pictures come on it.
        viewer.until("probe.onNewWay(20000)").await;
        let seen: Vec<crate::demo::Seen> = viewer.value("probe.timecodes(2)").await;
        assert!(seen.len() > 30, "{} pictures in 2 s", seen.len());
        assert_eq!(viewer.value::<u32>("millstream.attempts").await, 1, "it is the same session");
        running.stop();
        running.wait().unwrap();
    });
}

/// At each size and in each scheme: every control is inside the viewport, named, and reached by
/// keyboard, and words can be read. Takes a picture of each where `MILLSTREAM_SCREENSHOTS` names a folder.
async fn looks_good(viewer: &Viewer, state: &str) {
    for (width, height) in SIZES {
        for scheme in SCHEMES {
            viewer.appear(width, height, scheme).await;
            viewer.state(state).await;
            let at = format!("{state}, {width}x{height}, {scheme}");
            let outside: Vec<String> = viewer.value("probe.outside()").await;
            assert!(outside.is_empty(), "{at}: outside the viewport: {outside:?}");
            let contrasts: Vec<(String, f64)> = viewer.value("probe.contrasts()").await;
            // WCAG 2.2, 1.4.3: AA for text of any size.
            assert!(contrasts.iter().all(|(_, contrast)| *contrast >= 4.5), "{at}: {contrasts:?}");
            nameless(viewer, &at).await;
            reached_by_keyboard(viewer, &at).await;
            let folder = std::env::var_os("MILLSTREAM_SCREENSHOTS").filter(|_| SHOWN.contains(&(width, height)));
            if let Some(folder) = folder {
                let file = PathBuf::from(folder).join(format!("{state}-{width}x{height}-{scheme}.png"));
                let format = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build();
                std::fs::write(file, viewer.0.screenshot(format).await.expect("a screenshot")).unwrap();
            }
        }
    }
}

/// What a screen reader would call each control.
async fn nameless(viewer: &Viewer, at: &str) {
    let tree = viewer.0.execute(GetFullAxTreeParams::default()).await.expect("Chromium tells its accessibility tree");
    let mut controls = 0;
    for node in tree.result.nodes.iter().filter(|node| !node.ignored) {
        let text = |value: &Option<chromiumoxide::cdp::browser_protocol::accessibility::AxValue>| {
            value.as_ref().and_then(|value| value.value.as_ref()?.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let (role, name) = (text(&node.role), text(&node.name));
        if ["button", "slider", "textbox", "link", "checkbox", "Video", "img"].contains(&role.as_str()) {
            controls += 1;
            assert!(!name.trim().is_empty(), "{at}: a {role} has no name");
        }
    }
    let visible: usize = viewer.value("probe.controls().length").await;
    assert!(controls >= visible, "{at}: {controls} of {visible} controls are in the accessibility tree");
}

/// Tab goes to each control.
async fn reached_by_keyboard(viewer: &Viewer, at: &str) {
    let mut left: Vec<String> = viewer.value("probe.controls().map(control => control.id)").await;
    for _ in 0..2 * left.len() + 4 {
        viewer.press("Tab").await;
        let focused: String = viewer.value("document.activeElement?.id ?? ''").await;
        left.retain(|id| *id != focused);
    }
    assert!(left.is_empty(), "{at}: Tab does not reach {left:?}");
    viewer.value::<bool>("document.activeElement?.blur(), true").await;
}

impl Viewer {
    /// Shows the page on a screen of this size, by day or by night.
    async fn appear(&self, width: i64, height: i64, scheme: &str) {
        self.0.execute(SetDeviceMetricsOverrideParams::new(width, height, 1.0, width < 1000)).await.unwrap();
        let feature = MediaFeature::new("prefers-color-scheme", scheme);
        self.0.execute(SetEmulatedMediaParams::builder().feature(feature).build()).await.unwrap();
        self.until(&format!("probe.until(() => innerWidth === {width}, 20000)")).await;
        // What glides from one look to the other has to arrive.
        self.until("probe.settled()").await;
    }

    /// Waits until the page is in `state`.
    pub(crate) async fn state(&self, state: &str) {
        let is: bool = self.value(&format!("probe.until(() => millstream.state === '{state}', 60000)")).await;
        assert!(is, "not {state} after 60 s: {}", self.value::<String>("probe.report()").await);
    }

    /// Waits until `script`, a promise of truth, holds.
    pub(crate) async fn until(&self, script: &str) {
        let holds: bool = self.value(script).await;
        assert!(holds, "{script} does not come true: {}", self.value::<String>("probe.report()").await);
    }

    async fn press(&self, key: &str) {
        let code = match key {
            "Tab" => 9,
            _ => i64::from(key.to_ascii_uppercase().as_bytes()[0]),
        };
        for kind in [DispatchKeyEventType::KeyDown, DispatchKeyEventType::KeyUp] {
            let mut event =
                DispatchKeyEventParams::builder().r#type(kind.clone()).key(key).windows_virtual_key_code(code);
            if key.len() == 1 && kind == DispatchKeyEventType::KeyDown {
                event = event.text(key);
            }
            self.0.execute(event.build().unwrap()).await.unwrap();
        }
    }
}
