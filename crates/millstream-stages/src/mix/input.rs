//! One input of a mixer: where its sound has got to, and what of it is too far ahead.

use millstream_core::{AudioFrame, InputId};

use super::sum::Sum;

/// One input of a mixer.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) id: InputId,
    gain: f32,
    /// Whether blocks wait for it: not once it was silent for too long, until it gives something again.
    pub(super) waited: bool,
    /// The sample after the last one it gave.
    next: Option<i64>,
    ahead: Option<Ahead>,
}

/// A block for which there is no room yet, or not for all of it.
#[derive(Debug)]
struct Ahead {
    frame: AudioFrame,
    /// The place of its first sample, of the first that was not yet added, and of its end.
    start: i64,
    from: i64,
    end: i64,
}

impl Input {
    pub(super) fn new(id: InputId, gain: f32) -> Input {
        Input { id, gain, waited: true, next: None, ahead: None }
    }

    /// Whether it gave everything before `sample`.
    pub(super) fn has_given(&self, sample: i64) -> bool {
        self.next.is_some_and(|next| next >= sample)
    }

    /// Whether something of it waits for room: it is held until there is some.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// Where a block belongs whose first sample was captured nearest to sample `at`. A count of
    /// samples that goes on does so without a seam, although both stamps are rounded.
    pub(super) fn place(&self, at: i64, discontinuity: bool) -> i64 {
        match self.next {
            Some(next) if !discontinuity && next.abs_diff(at) <= 1 => next,
            _ => at,
        }
    }

    /// Takes a block that begins at `start`, and adds to `sum` what there is room for. What it gave
    /// before for the same time stays.
    pub(super) fn take(&mut self, frame: AudioFrame, start: i64, sum: &mut Sum) {
        let end = start + frame.len() as i64;
        let from = start.max(self.next.unwrap_or(start));
        self.next = Some(end.max(from));
        self.ahead = Some(Ahead { frame, start, from, end });
        self.add_to(sum);
    }

    /// Adds to `sum` what there is room for now.
    pub(super) fn add_to(&mut self, sum: &mut Sum) {
        let Some(ahead) = &mut self.ahead else { return };
        let (from, to) = (ahead.from.max(sum.from()), ahead.end.min(sum.end()));
        if from < to {
            sum.add(&ahead.frame, ahead.start, from, to, self.gain);
            ahead.from = to;
        }
        if ahead.from.max(sum.from()) >= ahead.end {
            self.ahead = None;
        }
    }
}
