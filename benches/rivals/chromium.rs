//! A Chromium without a window, and in it a viewer that is the same for all senders.

use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use chromiumoxide::{Browser, BrowserConfig, Page};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::{Result, at, ended, programs};

/// How long anything in it may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where Chromium is.
pub(crate) struct Chromium(PathBuf);

impl Chromium {
    pub(crate) fn find() -> Result<Chromium> {
        let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];
        let found = places.map(PathBuf::from).into_iter().find(|path| path.exists());
        found.map(Chromium).ok_or_else(|| "Chromium is not here; on Debian: apt-get install chromium".to_owned())
    }

    pub(crate) fn version(&self) -> String {
        programs::said(Command::new(&self.0).arg("--version"))
    }

    /// Runs `work` with a browser of its own.
    pub(crate) fn run<T, F: Future<Output = Result<T>>>(&self, work: impl FnOnce(Tabs) -> F) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(at("a runtime"))?;
        let profile = std::env::temp_dir().join(format!("millstream-bench-{}", std::process::id()));
        let done = runtime.block_on(async {
            let (browser, process) = self.launch(&profile).await?;
            let done = work(Tabs(browser)).await;
            // Its tabs and helpers end with it.
            ended::end(process);
            done
        });
        drop(runtime);
        let _ = std::fs::remove_dir_all(profile);
        done
    }

    async fn launch(&self, profile: &std::path::Path) -> Result<(Browser, u32)> {
        let config = BrowserConfig::builder()
            .chrome_executable(&self.0)
            .user_data_dir(profile)
            .no_sandbox()
            .new_headless_mode()
            .window_size(1440, 900)
            .viewport(None)
            .launch_timeout(PATIENCE)
            .request_timeout(PATIENCE)
            .args(["disable-gpu", "disable-quic", "disable-component-update"])
            .arg(("autoplay-policy", "no-user-gesture-required"))
            .build()?;
        let (mut browser, mut handler) = Browser::launch(config).await.map_err(at("Chromium does not start"))?;
        tokio::spawn(async move { while handler.next().await.is_some() {} });
        let process = browser.get_mut_child().and_then(|child| child.inner.id()).ok_or("Chromium has ended")?;
        ended::note(process);
        Ok((browser, process))
    }
}

/// A browser that runs.
pub(crate) struct Tabs(Browser);

impl Tabs {
    /// Opens `address` and puts the viewer in the place of what stands there: so it shares its origin,
    /// whoever serves it.
    pub(crate) async fn open(&self, address: &str) -> Result<Tab> {
        let page = self.0.new_page(address).await.map_err(at(address))?;
        page.evaluate_expression(include_str!("viewer.js")).await.map_err(at("the viewer"))?;
        Ok(Tab(page))
    }
}

/// A tab with the viewer in it.
pub(crate) struct Tab(Page);

impl Tab {
    /// The value of `script`, a promise's too.
    pub(crate) async fn value<T: DeserializeOwned>(&self, script: &str) -> Result<T> {
        let result = self.0.evaluate_expression(script).await.map_err(at(script))?;
        result.into_value().map_err(at(script))
    }

    pub(crate) async fn close(self) -> Result<()> {
        self.0.close().await.map_err(at("the tab"))
    }
}
