//! Files that cannot be used: folders, and what two stages use and only one can: an input that would be overwritten,
//! two writers of one file, two readers of one pipe. Asked before anything is opened, of every pair of stages.

use std::path::Path;

use millstream_core::known::{Access, is_standard_input};

use super::check::Checked;
use super::identity::Identity;
use super::report::{Fault, Location, Report};

/// One use of a file.
struct Use<'s> {
    stage: &'s str,
    path: &'s Path,
    place: Location,
    access: Access,
    identity: Identity,
}

impl Use<'_> {
    /// Whether it reads standard input, which has one place to read on from, whatever it is.
    fn is_standard_input(&self) -> bool {
        self.access == Access::Read && is_standard_input(self.path)
    }
}

/// Reports every stage that names a folder, or uses a file that one before it uses where that cannot be. `file` is the
/// pipeline's own.
pub(super) fn check(file: &str, stages: &[Checked<'_>], report: &mut Report) {
    let own = Identity::of_path(Path::new(file));
    let mut uses: Vec<Use<'_>> = Vec::new();
    for stage in stages {
        for (file, place) in &stage.files {
            let identity = Identity::of(file);
            if identity == Identity::Folder {
                let fault = Fault::at(*place, format!("`{}` is a folder", file.path.display()));
                report.push(fault.help("name a file in it"));
            }
            let used = Use { stage: &stage.name, path: &file.path, place: *place, access: file.access, identity };
            if used.access == Access::Write && matches!(used.identity, Identity::File(_)) && used.identity == own {
                report.push(Fault::at(used.place, format!("`{}` would overwrite this pipeline file", used.stage)));
            }
            if let Some(other) = uses.iter().find(|other| collide(other, &used)) {
                report.push(fault(other, &used));
            }
            uses.push(used);
        }
    }
}

fn collide(one: &Use<'_>, other: &Use<'_>) -> bool {
    if one.is_standard_input() && other.is_standard_input() {
        return true;
    }
    let read_only = (one.access, other.access) == (Access::Read, Access::Read);
    one.identity == other.identity
        && match one.identity {
            Identity::File(_) | Identity::New(..) => !read_only,
            Identity::Pipe(_) => true,
            Identity::Device | Identity::Folder | Identity::Nowhere => false,
        }
}

/// What is wrong, at the place of whoever writes, or of the second.
fn fault(first: &Use<'_>, second: &Use<'_>) -> Fault {
    let (at, other) =
        if second.access == Access::Read && first.access == Access::Write { (first, second) } else { (second, first) };
    let what = match at.identity {
        _ if at.is_standard_input() && other.is_standard_input() => "standard input",
        Identity::Pipe(_) => "pipe",
        _ => "file",
    };
    let verb = |access| if access == Access::Read { "reads" } else { "writes" };
    let both = if at.access == other.access { " too" } else { "" };
    let message =
        format!("`{}` {} the {what} that `{}` {}{both}", at.stage, verb(at.access), other.stage, verb(other.access));
    let label = format!("`{}` {} it here", other.stage, verb(other.access));
    let fault = Fault::at(at.place, message).also(other.place, label);
    let fault = if at.path == other.path {
        fault
    } else {
        fault.help(format!("`{}` and `{}` are the same {what}", other.path.display(), at.path.display()))
    };
    let own = if what == "pipe" { "pipe" } else { "file" };
    fault.help(format!("let `{}` use a {own} of its own", at.stage))
}
