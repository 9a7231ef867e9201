//! The system's libvpx, loaded once for the process.

use std::ffi::{CStr, c_int};
use std::sync::OnceLock;

use millstream_core::{Error, Result};

use super::sys;

/// A loaded libvpx of a known version.
pub(crate) struct Library {
    version: String,
    /// `VPX_ENCODER_ABI_VERSION` of that version.
    pub(super) abi: c_int,
    pub(super) vp8: sys::Vp8Interface,
    pub(super) config_default: sys::ConfigDefault,
    pub(super) init: sys::Init,
    pub(super) set_config: sys::SetConfig,
    pub(super) set_control: sys::SetControl,
    pub(super) encode: sys::Encode,
    pub(super) next_packet: sys::NextPacket,
    pub(super) destroy: sys::Destroy,
    pub(super) error_detail: sys::ErrorDetail,
    pub(super) status_text: sys::StatusText,
    /// Keeps the functions above where they are.
    _library: libloading::Library,
}

impl Library {
    /// The one libvpx of this process: the file that `MILLSTREAM_LIBVPX` names, or the system's.
    /// What happened the first time stays: a library installed later needs a new process.
    pub(crate) fn load() -> Result<&'static Library> {
        static LOADED: OnceLock<Result<Library, String>> = OnceLock::new();
        let loaded = LOADED.get_or_init(|| match std::env::var_os("MILLSTREAM_LIBVPX") {
            Some(path) => Library::open(&path).map_err(|reason| format!("MILLSTREAM_LIBVPX: {reason}")),
            None => Library::find(),
        });
        loaded.as_ref().map_err(|reason| Error::config(reason.as_str()))
    }

    /// The version, as the library says it: `v1.12.0`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The system's libvpx, under any of the names it may have.
    fn find() -> Result<Library, String> {
        let mut refused = None;
        for name in names() {
            match Library::open(name.as_ref()) {
                Ok(library) => return Ok(library),
                // A library that is there and will not do says more than one that is not there.
                Err(Refusal::Unusable(reason)) => refused = refused.or(Some(reason)),
                Err(Refusal::Absent(_)) => {}
            }
        }
        Err(refused.unwrap_or_else(|| {
            format!(
                "VP8 is encoded by libvpx and this system has none: {INSTALL}, or name its file in the environment \
                 variable MILLSTREAM_LIBVPX"
            )
        }))
    }

    /// The library in the file `name`, if it is a libvpx of a known version.
    fn open(name: &std::ffi::OsStr) -> Result<Library, Refusal> {
        let shown = name.display();
        // SAFETY: libvpx runs no code when loaded that needs anything of us. A file of that name
        // that is something else is trusted as any shared library of the system is.
        let library = unsafe { libloading::Library::new(name) };
        let library = library.map_err(|error| Refusal::Absent(format!("cannot load {shown}: {}", reason(&error))))?;
        // SAFETY: the signature is that of `vpx_codec.h`.
        let version = unsafe { symbol::<sys::Version>(&library, c"vpx_codec_version") }?;
        // SAFETY: the signature is that of `vpx_codec.h`.
        let version_text = unsafe { symbol::<sys::VersionText>(&library, c"vpx_codec_version_str") }?;
        // SAFETY: both take nothing; the text is static and ends with a zero.
        let (number, version) = unsafe { (version(), CStr::from_ptr(version_text())) };
        let version = version.to_string_lossy().into_owned();
        let abi = encoder_abi(number).ok_or_else(|| {
            Refusal::Unusable(format!(
                "{shown} is libvpx {version}, whose structs this program does not know: install one of 1.8 to 1.17 \
                 ({INSTALL}), or name its file in the environment variable MILLSTREAM_LIBVPX"
            ))
        })?;
        // SAFETY: the signatures are those of `vpx_codec.h`, `vpx_encoder.h` and `vp8cx.h`, the same
        // in all versions of the table.
        unsafe {
            Ok(Library {
                version,
                abi,
                vp8: symbol(&library, c"vpx_codec_vp8_cx")?,
                config_default: symbol(&library, c"vpx_codec_enc_config_default")?,
                init: symbol(&library, c"vpx_codec_enc_init_ver")?,
                set_config: symbol(&library, c"vpx_codec_enc_config_set")?,
                set_control: symbol(&library, c"vpx_codec_control_")?,
                encode: symbol(&library, c"vpx_codec_encode")?,
                next_packet: symbol(&library, c"vpx_codec_get_cx_data")?,
                destroy: symbol(&library, c"vpx_codec_destroy")?,
                error_detail: symbol(&library, c"vpx_codec_error_detail")?,
                status_text: symbol(&library, c"vpx_codec_err_to_string")?,
                _library: library,
            })
        }
    }
}

/// Why a file is not our libvpx.
enum Refusal {
    /// It is not there, or no library.
    Absent(String),
    /// It is a library and will not do.
    Unusable(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Refusal::Absent(reason) | Refusal::Unusable(reason)) = self;
        f.write_str(reason)
    }
}

/// How people get a libvpx.
const INSTALL: &str = "`apt-get install libvpx7` on Debian 12, `apt-get install libvpx9` on Debian 13, \
                       `dnf install libvpx` on Fedora, `brew install libvpx` on macOS";

/// `VPX_ENCODER_ABI_VERSION` by what `vpx_codec_version` says, from the headers of each release.
fn encoder_abi(version: c_int) -> Option<c_int> {
    Some(match (version >> 16, (version >> 8) & 0xFF) {
        (1, 8 | 9) => 23,
        (1, 10) => 24,
        (1, 11 | 12) => 25,
        (1, 13) => 30,
        (1, 14) => 34,
        (1, 15) => 36,
        (1, 16 | 17) => 39,
        _ => return None,
    })
}

/// The names libvpx has, newest first. Homebrew's folder is not among those searched by the system.
fn names() -> Vec<String> {
    if cfg!(target_os = "macos") {
        ["libvpx.dylib", "/opt/homebrew/lib/libvpx.dylib", "/usr/local/lib/libvpx.dylib"].map(str::to_owned).into()
    } else if cfg!(windows) {
        ["libvpx-1.dll", "vpx.dll"].map(str::to_owned).into()
    } else {
        // 1.8 has the number 6, 1.15 has 9; a number too new is refused by its version.
        (6..=13).rev().map(|number| format!("libvpx.so.{number}")).chain(["libvpx.so".to_owned()]).collect()
    }
}

/// The function `name` of `library`.
///
/// # Safety
/// `T` is the type of that function, and it is not called once `library` is gone.
unsafe fn symbol<T: Copy>(library: &libloading::Library, name: &CStr) -> Result<T, Refusal> {
    // SAFETY: the caller says that `T` is the function's type.
    let found = unsafe { library.get::<T>(name.to_bytes_with_nul()) };
    found.map(|function| *function).map_err(|error| Refusal::Unusable(format!("this is no libvpx: {}", reason(&error))))
}

/// What the system's loader says; libloading has it behind its own words.
fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| source.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_versions_have_an_abi() {
        assert_eq!(encoder_abi(0x01_0C_00), Some(25));
        assert_eq!(encoder_abi(0x01_0F_02), Some(36));
        assert_eq!([0x01_07_00, 0x01_12_00, 0x02_00_00, 0].map(encoder_abi), [None; 4]);
    }

    #[test]
    fn a_file_that_is_no_libvpx_is_refused_by_name() {
        let Err(absent) = Library::open("libvpx-nowhere.so".as_ref()) else { panic!("no such file") };
        assert!(matches!(&absent, Refusal::Absent(reason) if reason.contains("libvpx-nowhere.so")), "{absent}");
    }
}
