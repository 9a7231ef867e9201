//! The requests that hold until they are withdrawn: those of one consumer, and those of all merged.

use millstream_core::units::{Bitrate, FrameRate};
use millstream_core::{Control, Requests};

/// The standing requests of one consumer, or of several merged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    bitrate: Option<Bitrate>,
    max_size: Option<(u32, u32)>,
    max_frame_rate: Option<FrameRate>,
    loss: Option<f32>,
    paused: bool,
}

impl Standing {
    /// Notes `request`, if it is one that stands.
    pub(crate) fn note(&mut self, request: Control) {
        match request {
            Control::Bitrate(rate) => self.bitrate = rate,
            Control::MaxSize(size) => self.max_size = size,
            Control::MaxFrameRate(rate) => self.max_frame_rate = rate,
            Control::Loss(share) => self.loss = share,
            Control::Pause(paused) => self.paused = paused,
            _ => {}
        }
    }

    /// What holds for all `consumers`: the lowest bit rate and the highest loss; the highest limit of size and
    /// of frame rate, if every consumer has one; a pause, if all pause.
    pub(crate) fn merged<'a>(consumers: impl Iterator<Item = &'a Standing> + Clone) -> Standing {
        let all = || consumers.clone();
        let sizes: Option<Vec<_>> = all().map(|one| one.max_size).collect();
        let widest = |sizes: Vec<(u32, u32)>| {
            let width = sizes.iter().map(|size| size.0).max()?;
            Some((width, sizes.iter().map(|size| size.1).max()?))
        };
        let rates: Option<Vec<_>> = all().map(|one| one.max_frame_rate).collect();
        let fastest = |rates: Vec<FrameRate>| rates.into_iter().max_by(|a, b| a.as_f64().total_cmp(&b.as_f64()));
        Standing {
            bitrate: all().filter_map(|one| one.bitrate).min(),
            max_size: sizes.and_then(widest),
            max_frame_rate: rates.and_then(fastest),
            loss: all().filter_map(|one| one.loss).max_by(f32::total_cmp),
            paused: all().all(|one| one.paused),
        }
    }

    /// What to tell the producer: of each kind that was `requested` just now what holds, and of each other kind
    /// what differs from `before`. A request that no consumer makes any more is withdrawn.
    pub(crate) fn news(&self, requested: &Requests, before: &Standing) -> Requests {
        let mut news = Requests::default();
        let gone = |request: &Control| !self.requests().any(|other| other.is_like(*request));
        for request in before.requests().chain(requested.iter()).filter(gone) {
            request.withdrawn().into_iter().for_each(|request| news.note(request));
        }
        for request in self.requests() {
            let again = requested.iter().any(|requested| requested.is_like(request));
            if again || !before.requests().any(|other| other == request) {
                news.note(request);
            }
        }
        news
    }

    fn requests(&self) -> impl Iterator<Item = Control> {
        [
            self.bitrate.map(|rate| Control::Bitrate(Some(rate))),
            self.max_size.map(|size| Control::MaxSize(Some(size))),
            self.max_frame_rate.map(|rate| Control::MaxFrameRate(Some(rate))),
            self.loss.map(|share| Control::Loss(Some(share))),
            Some(Control::Pause(self.paused)),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(requests: &[Control]) -> Standing {
        let mut standing = Standing::default();
        requests.iter().for_each(|request| standing.note(*request));
        standing
    }

    fn news(now: &Standing, before: &Standing) -> Vec<Control> {
        now.news(&Requests::default(), before).iter().collect()
    }

    fn kbps(kbps: u64) -> Control {
        Control::Bitrate(Some(Bitrate::from_kbps(kbps)))
    }

    #[test]
    fn a_request_that_nobody_makes_any_more_is_withdrawn() {
        let rate = |rate| Control::MaxFrameRate(FrameRate::new(rate, 1));
        let (size, loss) = (|width, height| Control::MaxSize(Some((width, height))), Control::Loss(Some(0.2)));
        let small = one(&[kbps(300), size(320, 180), rate(15), loss]);
        let large = one(&[kbps(900), size(160, 720), rate(30)]);
        let both = Standing::merged([&small, &large].into_iter());
        assert_eq!(news(&both, &Standing::default()), [kbps(300), size(320, 720), rate(30), loss]);
        assert_eq!(news(&large, &both), [kbps(900), size(160, 720), Control::Loss(None)]);
        let free = one(&[]);
        let third = Standing::merged([&small, &large, &free].into_iter());
        assert_eq!(news(&third, &both), [Control::MaxSize(None), Control::MaxFrameRate(None)]);
        assert_eq!(news(&free, &third), [Control::Bitrate(None), Control::Loss(None)]);
    }

    #[test]
    fn a_consumer_withdraws_what_it_requested_itself() {
        let before = one(&[kbps(300), Control::MaxSize(Some((320, 180)))]);
        let mut now = before;
        now.note(Control::Bitrate(None));
        assert_eq!(news(&now, &before), [Control::Bitrate(None)]);
        let mut requested = Requests::default();
        requested.note(Control::Bitrate(None));
        let merged = Standing::merged([&now, &one(&[kbps(500)])].into_iter());
        assert_eq!(merged.news(&requested, &before).iter().collect::<Vec<_>>(), [kbps(500), Control::MaxSize(None)]);
    }

    #[test]
    fn there_is_a_pause_when_all_pause() {
        let (paused, awake) = (one(&[Control::Pause(true)]), one(&[]));
        let merged = |all: &[&Standing]| Standing::merged(all.iter().copied());
        assert_eq!(news(&merged(&[&paused, &paused]), &merged(&[&paused, &awake])), [Control::Pause(true)]);
        assert_eq!(news(&merged(&[&paused, &awake]), &merged(&[&paused])), [Control::Pause(false)]);
    }
}
