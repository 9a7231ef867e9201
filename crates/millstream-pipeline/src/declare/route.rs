//! The stage types that lead from one kind of item to another, for advice.

use std::collections::VecDeque;

use millstream_core::descriptor::{Descriptor, Gives, Place};
use millstream_core::{Accepts, Format, Registry};

/// The shortest chain of stage types from `from` to something that `to` takes, if there is one.
pub(super) fn between(from: &Format, to: &Accepts, registry: &Registry) -> Option<Vec<&'static str>> {
    // How each format was reached: from which one before it, by which type.
    let mut reached: Vec<(Format, Option<(usize, &'static str)>)> = vec![(from.clone(), None)];
    let mut next = VecDeque::from([0]);
    while let Some(at) = next.pop_front() {
        let format = reached[at].0.clone();
        if to.takes(&format) {
            return Some(trace(&reached, at));
        }
        for (name, given) in registry.iter().filter_map(|descriptor| step(descriptor, &format)) {
            if reached.iter().all(|(known, _)| *known != given) {
                reached.push((given, Some((at, name))));
                next.push_back(reached.len() - 1);
            }
        }
    }
    None
}

/// `` `a`, then `b` ``.
pub(super) fn in_words(types: &[&str]) -> String {
    let types: Vec<_> = types.iter().map(|name| format!("`{name}`")).collect();
    types.join(", then ")
}

/// What `descriptor` makes of `format`, if it has one input that takes it and one output.
fn step(descriptor: &Descriptor, format: &Format) -> Option<(&'static str, Format)> {
    match (descriptor.place(), descriptor.inputs(), descriptor.outputs()) {
        (Place::Stage, [input], [output]) if input.accepts.takes(format) => match &output.gives {
            Gives::Format(given) => Some((descriptor.name(), given.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn trace(reached: &[(Format, Option<(usize, &'static str)>)], mut at: usize) -> Vec<&'static str> {
    let mut types = Vec::new();
    while let Some((before, name)) = reached[at].1 {
        types.push(name);
        at = before;
    }
    types.reverse();
    types
}
