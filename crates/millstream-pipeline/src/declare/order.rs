//! The order of stages, producers before consumers, and the cycles that make an order impossible.
//!
//! The inputs and outputs of a bundle are separate ends, so a cycle through a bundle is legal: a call may
//! send back what it receives.

use std::cmp::Reverse;
use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BinaryHeap, VecDeque};

use millstream_core::descriptor::Place;

use super::check::Checked;
use super::joins::Join;
use super::report::{Fault, Report};

/// All stages, each after those it takes from, otherwise in the order of the text. A bundle that is fed
/// from what it gives comes before those that feed it. Cycles are reported; their stages come last.
pub(super) fn order(stages: &[Checked<'_>], joins: &[Join], report: &mut Report) -> Vec<usize> {
    let all: Vec<&Join> = joins.iter().collect();
    let order = sort(stages, &all);
    if order.len() == stages.len() {
        return order;
    }
    let (into_bundles, mut others): (Vec<&Join>, Vec<&Join>) =
        all.iter().partition(|join| is_bundle(&stages[join.consumer]));
    others.sort_by_key(|join| join.place);
    report_cycles(stages, &others, report);
    let feeds = feeds(stages, &all);
    let straight = into_bundles.into_iter().filter(|join| path(&all, &feeds, join.consumer, join.producer).is_none());
    others.extend(straight);
    let mut order = sort(stages, &others);
    let mut placed = vec![false; stages.len()];
    order.iter().for_each(|index| placed[*index] = true);
    order.extend((0..stages.len()).filter(|index| !placed[*index]));
    order
}

fn is_bundle(stage: &Checked<'_>) -> bool {
    stage.descriptor.is_some_and(|descriptor| descriptor.place() == Place::Bundle)
}

/// For each stage the joins that take from it.
fn feeds(stages: &[Checked<'_>], joins: &[&Join]) -> Vec<Vec<usize>> {
    let mut feeds = vec![Vec::new(); stages.len()];
    for (index, join) in joins.iter().enumerate() {
        feeds[join.producer].push(index);
    }
    feeds
}

/// Kahn's algorithm, the first of the text first; stages on a cycle and behind one are left out.
fn sort(stages: &[Checked<'_>], joins: &[&Join]) -> Vec<usize> {
    let feeds = feeds(stages, joins);
    let mut waits_for = vec![0; stages.len()];
    for join in joins {
        waits_for[join.consumer] += 1;
    }
    let mut ready: BinaryHeap<_> = (0..stages.len()).filter(|index| waits_for[*index] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(stages.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for consumer in feeds[index].iter().map(|join| joins[*join].consumer) {
            waits_for[consumer] -= 1;
            if waits_for[consumer] == 0 {
                ready.push(Reverse(consumer));
            }
        }
    }
    order
}

/// Reports each cycle at the first of its inputs in the text, in whose order `joins` are. That input is
/// then left out, so that only another cycle is reported as well.
fn report_cycles(stages: &[Checked<'_>], joins: &[&Join], report: &mut Report) {
    let mut feeds = feeds(stages, joins);
    for (index, join) in joins.iter().enumerate() {
        let Some(path) = path(joins, &feeds, join.consumer, join.producer) else { continue };
        feeds[join.producer].retain(|other| *other != index);
        let names: Vec<&str> = path.iter().chain([&join.consumer]).map(|at| stages[*at].name.as_str()).collect();
        // The ends of a long way say enough.
        let names = if names.len() > 12 { [&names[..6], &["…"], &names[names.len() - 5..]].concat() } else { names };
        let message = format!("`{}` feeds itself: {}", stages[join.consumer].name, names.join(" → "));
        let label = "take this input from another stage";
        report.push(Fault::at(join.place, message).label(label).help("only a bundle, such as a call, may feed itself"));
    }
}

/// The shortest way that items take from stage `from` to stage `to`, both included.
fn path(joins: &[&Join], feeds: &[Vec<usize>], from: usize, to: usize) -> Option<Vec<usize>> {
    let mut before = HashMap::from([(from, from)]);
    let mut next = VecDeque::from([from]);
    while let Some(at) = next.pop_front() {
        if at == to {
            let mut path = vec![to];
            let mut at = to;
            while at != from {
                at = before[&at];
                path.push(at);
            }
            path.reverse();
            return Some(path);
        }
        for consumer in feeds[at].iter().map(|index| joins[*index].consumer) {
            if let Entry::Vacant(entry) = before.entry(consumer) {
                entry.insert(at);
                next.push_back(consumer);
            }
        }
    }
    None
}
