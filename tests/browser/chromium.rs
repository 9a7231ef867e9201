//! Drives Chromium: opens a pipeline's page, and measures what arrives in it.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use chromiumoxide::{Browser, BrowserConfig, Page};
use futures_util::StreamExt;
use millstream::Pipeline;
use millstream::pipeline::declare::Override;
use serde::de::DeserializeOwned;

/// One browser test at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `test` with a browser of its own; skips it by name where there is none.
pub(crate) fn with_chromium<F: Future<Output = ()>>(test: impl FnOnce(Chromium) -> F) {
    let found =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser"].map(PathBuf::from).into_iter().find(|path| path.exists());
    let Some(executable) = found else { return millstream_testkit::skipped("chromium") };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let chromium = Chromium::launch(executable).await;
        let profile = chromium.profile.clone();
        test(chromium).await;
        // What Chromium leaves is of no use to anybody.
        let _ = std::fs::remove_dir_all(profile);
    });
}

pub(crate) struct Chromium {
    browser: Browser,
    profile: PathBuf,
}

impl Chromium {
    async fn launch(executable: PathBuf) -> Chromium {
        let profile = std::env::temp_dir().join(format!("millstream-chromium-{}", std::process::id()));
        let config = BrowserConfig::builder()
            .chrome_executable(executable)
            .user_data_dir(&profile)
            .no_sandbox()
            .new_headless_mode()
            .window_size(1440, 900)
            .viewport(None)
            .launch_timeout(Duration::from_secs(60))
            .request_timeout(Duration::from_secs(120))
            // Without a way out, Chromium's own errands fail many at a time.
            .args(["disable-gpu", "disable-quic", "disable-component-update"])
            // Played nowhere: neither on a developer's speakers nor on a test's own sound server.
            .arg("disable-audio-output")
            // A sound server of a test is not for the browser to play on.
            .env("PULSE_SERVER", "none")
            .arg(("autoplay-policy", "no-user-gesture-required"))
            .build()
            .expect("a good browser configuration");
        let (browser, mut handler) = Browser::launch(config).await.expect("Chromium starts");
        tokio::spawn(async move { while handler.next().await.is_some() {} });
        Chromium { browser, profile }
    }

    /// Opens the page at `address`, with the probe in it.
    pub(crate) async fn open(&self, address: &str) -> Viewer {
        let page = self.browser.new_page(address).await.expect("the page opens");
        let viewer = Viewer(page);
        viewer.probe().await;
        viewer
    }
}

/// A page of a pipeline in the browser.
pub(crate) struct Viewer(pub(crate) Page);

impl Viewer {
    /// Goes to the page at `address`, with the probe in it.
    pub(crate) async fn goto(&self, address: &str) {
        self.0.goto(address).await.expect("the page opens");
        self.probe().await;
    }

    async fn probe(&self) {
        self.0.evaluate_expression(include_str!("probe.js")).await.expect("the probe is good");
    }

    /// The value of `script`, a promise's too.
    pub(crate) async fn value<T: DeserializeOwned>(&self, script: &str) -> T {
        let result = self.0.evaluate_expression(script).await.unwrap_or_else(|error| panic!("{script}: {error}"));
        result.into_value().unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The bytes that `script` gives as base64.
    pub(crate) async fn bytes(&self, script: &str) -> Vec<u8> {
        let text: String = self.value(script).await;
        base64::engine::general_purpose::STANDARD.decode(text).expect("the probe gives base64")
    }

    /// Waits until picture or sound arrives.
    pub(crate) async fn playing(&self) {
        let playing: bool = self.value("probe.playing(20000)").await;
        assert!(playing, "nothing plays after 20 s: {}", self.value::<String>("probe.report()").await);
    }

    /// Mono sound of the next `seconds` at 48 kHz.
    pub(crate) async fn sound(&self, seconds: f64) -> Vec<f32> {
        let bytes = self.bytes(&format!("probe.sound({seconds})")).await;
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
    }
}

/// Loads `pipelines/NAME.toml` on a free port; the address of its page.
pub(crate) fn load(name: &str, sets: &[&str]) -> (Pipeline, String) {
    let path = format!("{}/pipelines/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the pipeline is there");
    let mut overrides = vec![Override::parse("page.bind=127.0.0.1:0").expect("a good override")];
    overrides.extend(sets.iter().map(|set| Override::parse(set).expect("a good override")));
    let pipeline = millstream::load(&text, &path, &overrides).unwrap_or_else(|error| panic!("{error}"));
    let address =
        pipeline.notices().iter().find(|(_, notice)| notice.starts_with("http")).expect("the page says where it is");
    let address = address.1.clone();
    (pipeline, address)
}
