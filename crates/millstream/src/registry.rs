//! Every official stage type, and where each comes from. The only place that knows all crates.

use millstream_core::Registry;
use millstream_pipeline::Pipeline;
use millstream_pipeline::declare::{self, Diagnostics, Override};

/// Official stage types that need a cargo feature, with that feature: so that one that was built
/// without is refused by name.
const FEATURES: [(&str, &str); 3] = [("opus-encoder", "opus"), ("vp8-encoder", "vpx"), ("page", "webrtc-rs")];

/// Every stage type that was built in.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    millstream_stages::register(&mut registry);
    millstream_rtp::register(&mut registry);
    #[cfg(feature = "opus")]
    millstream_codec_opus::register(&mut registry);
    #[cfg(feature = "vpx")]
    millstream_codec_vpx::register(&mut registry);
    #[cfg(feature = "webrtc-rs")]
    millstream_signaling::register(&mut registry, &millstream_webrtc_rs::engine());
    for (name, feature) in FEATURES {
        registry.add_missing(name, feature);
    }
    registry
}

/// Why a declared pipeline could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// What is wrong with the text, all of it.
    Declared(Diagnostics),
    /// The stage that could not be built.
    Built(millstream_core::Error),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::Declared(diagnostics) => diagnostics.fmt(f),
            LoadError::Built(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {}

/// Loads the declared pipeline `text`, which diagnostics call `file`, from every stage type that was
/// built in. Devices and ports are opened here.
///
/// # Errors
/// Everything that is wrong with the text, or the stage that could not be built.
pub fn load(text: &str, file: &str, overrides: &[Override]) -> Result<Pipeline, LoadError> {
    let plan = declare::read(text, file, overrides, &registry()).map_err(LoadError::Declared)?;
    let mut pipeline = Pipeline::new(plan.name.clone().unwrap_or_else(|| file.to_owned()));
    pipeline.add(plan).map_err(LoadError::Built)?;
    Ok(pipeline)
}
