//! How a path is named in errors and notices.

use std::path::Path;

use millstream_core::known::{Access, is_standard_input, is_standard_output};

/// What errors and notices call `path`, which is used for `access`.
pub(crate) fn called(path: &Path, access: Access) -> std::path::Display<'_> {
    let name = match access {
        Access::Read if is_standard_input(path) => Path::new("standard input"),
        Access::Write if is_standard_output(path) => Path::new("standard output"),
        _ => path,
    };
    name.display()
}
