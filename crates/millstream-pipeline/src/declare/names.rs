//! Names in diagnostics: the nearest one to a wrong one, and lists of them in words.

use millstream_core::options;

/// Longer names are not compared: the comparison takes the product of both lengths.
const COMPARED: usize = 64;

/// How many names a list shows at the most, so that a diagnostic stays a few lines.
const LISTED: usize = 12;

/// The name among `names` that `wrong` was probably meant to be.
pub(super) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > COMPARED {
        return None;
    }
    options::nearest(wrong, names.into_iter().filter(|name| name.len() <= COMPARED))
}

/// `` `a`, `b` or `c` ``.
pub(super) fn either<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    joined(names, "or")
}

/// `` `a`, `b` and `c` ``.
pub(super) fn all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    joined(names, "and")
}

fn joined<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED {
        let more = names.len() - LISTED;
        names.truncate(LISTED);
        names.push(format!("{more} more"));
    }
    match names.pop() {
        None => "nothing".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} {word} {last}", names.join(", ")),
    }
}
