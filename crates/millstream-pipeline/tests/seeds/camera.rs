//! Sources of all kinds: pictures, sound, and encoded video in layers whose references are written down.

use std::collections::VecDeque;
use std::time::Duration;

use millstream_core::{
    AudioFrame, Control, Cx, EncodedFrame, Error, Item, Layer, Layers, Next, PixelFormat, Result, Role, Source,
    Timestamp, VP8, VideoFrame,
};

use crate::journal::{Journal, Key, StageId};
use crate::random::Random;

/// What an item is made from.
#[derive(Clone, Copy)]
pub(crate) struct Shot {
    time: Timestamp,
    role: Role,
    layer: Layer,
    number: u32,
}

pub(crate) trait Flow: Item {
    fn of(shot: Shot) -> Self;
    fn bytes(&self) -> Vec<u8>;
}

impl Flow for VideoFrame {
    fn of(shot: Shot) -> Self {
        let mut data = vec![0; 16];
        data[..4].copy_from_slice(&shot.number.to_le_bytes());
        VideoFrame::tight(data.into(), PixelFormat::I420, (2, 2), shot.time)
    }
    fn bytes(&self) -> Vec<u8> {
        self.plane(0).data.to_vec()
    }
}

impl Flow for AudioFrame {
    fn of(shot: Shot) -> Self {
        let samples = vec![f32::from_bits(shot.number), 0.5];
        AudioFrame::new(48_000, 1, shot.time, samples)
    }
    fn bytes(&self) -> Vec<u8> {
        self.samples.iter().flat_map(|sample| sample.to_bits().to_le_bytes()).collect()
    }
}

impl Flow for EncodedFrame {
    fn of(Shot { time, role, layer, number }: Shot) -> Self {
        let data = number.to_le_bytes().to_vec();
        EncodedFrame::new(VP8, time, data).with_role(role).with_layer(layer)
    }
    fn bytes(&self) -> Vec<u8> {
        self.data.to_vec()
    }
}

/// How a camera's frames hang together.
#[derive(Clone, Copy)]
pub(crate) struct Coding {
    spatial: u8,
    temporal: u8,
    /// Pictures from one key frame to the next that nobody asked for.
    pictures: u32,
    /// Whether a picture refers to the smaller one of its time.
    between_layers: bool,
}

impl Coding {
    pub(crate) fn by_chance(random: &mut Random) -> Coding {
        Coding {
            spatial: random.within(1, 4) as u8,
            temporal: random.within(1, 4) as u8,
            pictures: *random.pick(&[10, 40, 10_000]),
            between_layers: random.percent(50),
        }
    }

    /// One layer, of which each item is a start.
    pub(crate) const RAW: Coding = Coding { spatial: 1, temporal: 1, pictures: 1, between_layers: false };

    fn temporal_of(self, since_start: u32) -> u8 {
        match self.temporal {
            1 => 0,
            2 => (since_start % 2) as u8,
            _ => [0, 2, 1, 2][since_start as usize % 4],
        }
    }
}

/// A source that gives `ticks` pictures (or blocks), one each `period`.
pub(crate) struct Camera<T> {
    id: StageId,
    journal: Journal,
    random: Random,
    coding: Coding,
    ticks: u32,
    period: Duration,
    tick: u32,
    number: u32,
    /// Pictures since the last in which any layer started: all layers are in step.
    since_start: u32,
    /// The newest frame that may be referred to, for each spatial and temporal layer.
    newest: [[Option<Key>; 3]; 3],
    wanted: Option<Layers>,
    ready: VecDeque<T>,
}

impl<T: Flow> Camera<T> {
    pub(crate) fn new(id: StageId, journal: &Journal, coding: Coding, mut random: Random) -> Camera<T> {
        Camera {
            id,
            journal: journal.clone(),
            coding,
            ticks: random.within(40, 100) as u32,
            period: random.millis(5, 40),
            random,
            tick: 0,
            number: 0,
            since_start: 0,
            newest: [[None; 3]; 3],
            wanted: Some(Layers::ALL),
            ready: VecDeque::new(),
        }
    }

    /// One picture in all its spatial layers.
    fn shoot(&mut self, at: Timestamp) {
        if self.tick.is_multiple_of(self.coding.pictures) {
            self.wanted = Some(Layers::ALL);
        }
        let wanted = self.wanted.take();
        if (0..self.coding.spatial).any(|spatial| wanted.is_some_and(|wanted| wanted.contains(spatial))) {
            self.since_start = 0;
        }
        let temporal = self.coding.temporal_of(self.since_start);
        self.since_start += 1;
        let mut below = None;
        for spatial in 0..self.coding.spatial {
            let row = usize::from(spatial);
            let start = wanted.is_some_and(|wanted| wanted.contains(spatial));
            if start {
                self.newest[row] = [None; 3];
            }
            // Nothing refers to the highest temporal layer, but for larger pictures where they do.
            let alone = temporal + 1 == self.coding.temporal
                && self.coding.temporal > 1
                && !(self.coding.between_layers && spatial + 1 < self.coding.spatial);
            let role = match () {
                () if start => Role::Start,
                () if alone || self.random.percent(5) => Role::Discardable,
                () => Role::Reference,
            };
            let time = Timestamp::from_nanos(at.as_nanos() + 64 * u64::from(spatial) + self.id as u64);
            let mut refers: Vec<Key> = Vec::new();
            if !start {
                refers.extend(self.newest[row][..=usize::from(temporal)].iter().flatten());
            }
            let below_it = below.filter(|_| self.coding.between_layers);
            refers.extend(below_it);
            let layer = match below_it {
                Some(_) => Layer::stacked(spatial, temporal),
                None => Layer::independent(spatial, temporal),
            };
            let key = time.as_nanos();
            below = (role != Role::Discardable).then_some(key);
            if role != Role::Discardable {
                self.newest[row][usize::from(temporal)] = Some(key);
            }
            self.journal.pages().refers.insert(key, refers);
            self.number += 1;
            self.ready.push_back(T::of(Shot { time, role, layer, number: self.number }));
        }
    }
}

impl<T: Flow> Source<T> for Camera<T> {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<T>> {
        if let Some(item) = self.ready.pop_front() {
            self.journal.given(self.id, &item, cx.now());
            return Ok(Next::Item(item));
        }
        if self.tick == self.ticks {
            return Ok(Next::End);
        }
        let at = cx.start() + self.period * self.tick;
        if at > cx.now() {
            return Ok(Next::Until(at));
        }
        self.tick += 1;
        if self.random.percent(1) {
            return Err(Error::bad_item("a torn picture"));
        }
        self.shoot(at);
        self.next(cx)
    }

    fn control(&mut self, wish: Control, _: &mut Cx) {
        if let Control::KeyFrame(layers) = wish {
            self.wanted = Some(self.wanted.map_or(layers, |wanted| wanted.union(layers)));
        }
    }
}
