//! The wishes that hold until they are taken back: those of one taker, and of all together.

use millstream_core::units::{Bitrate, FrameRate};
use millstream_core::{Control, Wishes};

/// The standing wishes of one taker, or of several merged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    bitrate: Option<Bitrate>,
    max_size: Option<(u32, u32)>,
    max_frame_rate: Option<FrameRate>,
    loss: Option<f32>,
    paused: bool,
}

impl Standing {
    /// Notes `wish`, if it is one that stands.
    pub(crate) fn note(&mut self, wish: Control) {
        match wish {
            Control::Bitrate(rate) => self.bitrate = Some(rate),
            Control::MaxSize(width, height) => self.max_size = Some((width, height)),
            Control::MaxFrameRate(rate) => self.max_frame_rate = Some(rate),
            Control::Loss(share) => self.loss = Some(share),
            Control::Pause(paused) => self.paused = paused,
            _ => {}
        }
    }

    /// What holds for all `takers`: the lowest bit rate and the highest loss; a limit to size or frame rate
    /// once every taker has one, and then the highest; a pause when all pause.
    pub(crate) fn merged<'a>(takers: impl Iterator<Item = &'a Standing> + Clone) -> Standing {
        let all = || takers.clone();
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

    /// Of each kind that was wished just now what holds, and of each other kind what is not as it was
    /// `before`. A limit that nobody has any more is taken back.
    pub(crate) fn news(&self, wished: &Wishes, before: &Standing) -> Wishes {
        let mut news = Wishes::default();
        for wish in before.wishes() {
            if !self.wishes().any(|other| other.is_like(wish)) {
                wish.taken_back().into_iter().for_each(|wish| news.note(wish));
            }
        }
        for wish in self.wishes() {
            let again = wished.iter().any(|wished| wished.is_like(wish));
            if again || !before.wishes().any(|other| other == wish) {
                news.note(wish);
            }
        }
        news
    }

    fn wishes(&self) -> impl Iterator<Item = Control> {
        [
            self.bitrate.map(Control::Bitrate),
            self.max_size.map(|(width, height)| Control::MaxSize(width, height)),
            self.max_frame_rate.map(Control::MaxFrameRate),
            self.loss.map(Control::Loss),
            Some(Control::Pause(self.paused)),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(wishes: &[Control]) -> Standing {
        let mut standing = Standing::default();
        wishes.iter().for_each(|wish| standing.note(*wish));
        standing
    }

    fn news(now: &Standing, before: &Standing) -> Vec<Control> {
        now.news(&Wishes::default(), before).iter().collect()
    }

    #[test]
    fn what_nobody_wishes_any_more_is_taken_back() {
        let rate = |rate| FrameRate::new(rate, 1).unwrap();
        let kbps = |kbps| Control::Bitrate(Bitrate::from_kbps(kbps));
        let small = one(&[kbps(300), Control::MaxSize(320, 180), Control::MaxFrameRate(rate(15)), Control::Loss(0.2)]);
        let large = one(&[kbps(900), Control::MaxSize(160, 720), Control::MaxFrameRate(rate(30))]);
        let both = Standing::merged([&small, &large].into_iter());
        let all = [kbps(300), Control::MaxSize(320, 720), Control::MaxFrameRate(rate(30)), Control::Loss(0.2)];
        assert_eq!(news(&both, &Standing::default()), all);
        let left = [kbps(900), Control::MaxSize(160, 720), Control::Loss(0.0)];
        assert_eq!(news(&large, &both), left);
        let free = one(&[]);
        let third = Standing::merged([&small, &large, &free].into_iter());
        let taken_back = [Control::MaxSize(u32::MAX, u32::MAX), Control::MaxFrameRate(rate(1000))];
        assert_eq!(news(&third, &both), taken_back);
        let unlimited = Control::Bitrate(Bitrate::from_bps(100_000_000_000));
        assert_eq!(news(&free, &third), [unlimited, Control::Loss(0.0)]);
    }

    #[test]
    fn there_is_a_pause_when_all_pause() {
        let (paused, awake) = (one(&[Control::Pause(true)]), one(&[]));
        let merged = |all: &[&Standing]| Standing::merged(all.iter().copied());
        assert_eq!(news(&merged(&[&paused, &paused]), &merged(&[&paused, &awake])), [Control::Pause(true)]);
        assert_eq!(news(&merged(&[&paused, &awake]), &merged(&[&paused])), [Control::Pause(false)]);
    }
}
