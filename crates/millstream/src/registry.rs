//! Every official stage type, and where each comes from. The only place that knows all crates.

use millstream_core::Registry;
use millstream_pipeline::Pipeline;
use millstream_pipeline::declare::{self, Diagnostics, Override, Plan};

/// Says of each plug-in its feature, its crate, what the crate is called here, and its stage types, so
/// that one that was built without is refused by name.
macro_rules! plug_ins {
    ($module:ident, $register:ident, $($feature:tt: $from:ident as $name:ident gives $($stage:literal)+;)*) => {
        pub(crate) mod $module {
            $(
                #[cfg(feature = $feature)]
                pub use $from as $name;
            )*
        }

        fn $register(registry: &mut Registry) {
            $(
                #[cfg(feature = $feature)]
                $from::register(registry);
                $(registry.add_missing($stage, $feature);)+
            )*
        }
    };
}

plug_ins! {
    codecs, register_codecs,
    "g711": millstream_codec_g711 as g711 gives "pcmu-encoder" "pcmu-decoder" "pcmu-packetizer"
        "pcma-encoder" "pcma-decoder" "pcma-packetizer";
    "opus": millstream_codec_opus as opus gives "opus-encoder";
    "vpx": millstream_codec_vpx as vpx gives "vp8-encoder";
    "vpx-encode": millstream_codec_vpx_encode as vpx_encode gives "vp8-vpx-encode";
}

plug_ins! {
    devices, register_devices,
    "cpal": millstream_device_cpal as cpal gives "microphone" "speaker";
    "nokhwa": millstream_device_nokhwa as nokhwa gives "camera";
    "x11": millstream_device_x11 as x11 gives "screen";
    "xcap": millstream_device_xcap as xcap gives "screen-xcap";
}

/// Every stage type that was built in.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    millstream_stages::register(&mut registry);
    millstream_rtp::register(&mut registry);
    register_codecs(&mut registry);
    register_devices(&mut registry);
    #[cfg(feature = "webrtc-rs")]
    millstream_signaling::register(&mut registry, &millstream_webrtc_rs::engine());
    registry.add_missing("page", "webrtc-rs");
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
    load_with(text, file, overrides, &registry())
}

/// The same from the stage types of `registry`, such as [`registry()`] with those of a program added.
///
/// # Errors
/// Everything that is wrong with the text, or the stage that could not be built.
pub fn load_with(text: &str, file: &str, overrides: &[Override], registry: &Registry) -> Result<Pipeline, LoadError> {
    let plan = declare::read(text, file, overrides, registry).map_err(LoadError::Declared)?;
    build(plan, file).map_err(LoadError::Built)
}

/// Builds what `plan` declares, called `file` unless it has a name. Devices and ports are opened here.
///
/// # Errors
/// What the stage that could not be built says.
pub fn build(plan: Plan, file: &str) -> millstream_core::Result<Pipeline> {
    let mut pipeline = Pipeline::new(plan.name.clone().unwrap_or_else(|| file.to_owned()));
    pipeline.add(plan)?;
    Ok(pipeline)
}
