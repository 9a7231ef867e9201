//! Which file a path means, however it is spelt: through links, and before the file is there.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use millstream_core::known::{Access, FileUse, is_standard_input, is_standard_output};

/// What a path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// A file on a disk.
    File(Id),
    /// A pipe or a socket: what one reads is gone for the others.
    Pipe(Id),
    /// A device, such as a terminal or `/dev/null`: it does not mind.
    Device,
    /// A folder, which nobody can use.
    Folder,
    /// A file that is not there yet: its folder, and its name there.
    New(Id, OsString),
    /// A path that leads nowhere: using it says what is wrong.
    Nowhere,
}

/// A file that is there. Hard links to it, and links on the way, make no difference.
#[cfg(unix)]
type Id = (u64, u64);
#[cfg(not(unix))]
type Id = PathBuf;

/// As many links may lead to one another on Linux (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

impl Identity {
    /// What `file` means now.
    pub(super) fn of(file: &FileUse) -> Identity {
        if file.access == Access::Read && is_standard_input(&file.path) {
            return standard(std::io::stdin());
        }
        if file.access == Access::Write && is_standard_output(&file.path) {
            return standard(std::io::stdout());
        }
        Identity::of_path(&file.path)
    }

    pub(super) fn of_path(path: &Path) -> Identity {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            if let Ok(metadata) = fs::metadata(&path) {
                return Identity::there(&path, &metadata);
            }
            // A link to what is not there yet: whoever writes makes that.
            let Ok(target) = fs::read_link(&path) else { break };
            path = folder(&path).join(target);
        }
        let folder = folder(&path);
        match (path.file_name(), fs::metadata(&folder)) {
            (Some(name), Ok(metadata)) => Identity::New(id(&folder, &metadata), spelling(&folder, name)),
            _ => Identity::Nowhere,
        }
    }

    fn there(path: &Path, metadata: &Metadata) -> Identity {
        let id = id(path, metadata);
        match metadata.file_type() {
            kind if kind.is_file() => Identity::File(id),
            kind if kind.is_dir() => Identity::Folder,
            kind if is_pipe(kind) => Identity::Pipe(id),
            _ => Identity::Device,
        }
    }
}

/// The folder of `path`; the working directory where it has none.
fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// `name`, in small letters where the disk takes capitals for the same.
fn spelling(folder: &Path, name: &std::ffi::OsStr) -> OsString {
    let small = || OsString::from(name.to_string_lossy().to_lowercase());
    if ignores_case(folder).unwrap_or(false) { small() } else { name.to_owned() }
}

/// Whether the disk of `folder` takes capitals and small letters for the same: asked of its own name.
fn ignores_case(folder: &Path) -> Option<bool> {
    let path = fs::canonicalize(folder).ok()?;
    let name = path.file_name()?.to_str()?;
    let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    let other: String = name.chars().map(swap).collect();
    let other = path.with_file_name(&other);
    let (here, there) = (fs::metadata(&path).ok()?, fs::metadata(&other).ok()?);
    Some(other != path && id(&path, &here) == id(&other, &there))
}

#[cfg(unix)]
fn id(_: &Path, metadata: &Metadata) -> Id {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn id(path: &Path, _: &Metadata) -> Id {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(unix)]
fn is_pipe(kind: fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo() || kind.is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: fs::FileType) -> bool {
    false
}

#[cfg(unix)]
fn standard(stream: impl std::os::fd::AsFd) -> Identity {
    let file = stream.as_fd().try_clone_to_owned().map(File::from);
    let metadata = file.and_then(|file| file.metadata());
    metadata.map_or(Identity::Nowhere, |metadata| Identity::there(Path::new("-"), &metadata))
}

#[cfg(not(unix))]
fn standard<S>(_: S) -> Identity {
    Identity::Nowhere
}
