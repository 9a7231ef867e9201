//! What every item tells a link: when it was captured, how large it is, and how others depend on it.

use crate::any::{AnySink, AnySource, AnyStage, StageFrom};
use crate::audio::AudioFrame;
use crate::encoded::EncodedFrame;
use crate::input::{FromInput, InputEvent, InputId};
use crate::media::Media;
use crate::role::{Layer, Role};
use crate::rtp::RtpPackets;
use crate::stage::{MaybeSend, Sink, Source, Stage};
use crate::time::Timestamp;
use crate::video::VideoFrame;

/// One of the four kinds of item that flow. Sealed, because a runner must handle every kind.
pub trait Item: Clone + MaybeSend + sealed::Sealed + Sized + 'static {
    /// The name of the kind in diagnostics.
    const KIND: &'static str;
    /// Sound or picture, of a raw kind.
    const RAW: Option<Media> = None;

    /// When it was captured.
    fn time(&self) -> Timestamp;
    /// Whether that is only estimated from when it arrived. An estimate is not counted in latency statistics.
    fn time_is_estimated(&self) -> bool;
    /// Its payload in bytes.
    fn size(&self) -> usize;
    /// How other items depend on it.
    fn role(&self) -> Role {
        Role::Start
    }
    /// The layer it belongs to.
    fn layer(&self) -> Layer {
        Layer::default()
    }
    /// Whether later items are known to refer to it, so that dropping it leaves them undecodable: true of
    /// encoded video that is not [`Role::Discardable`] or [`Role::Unknown`].
    fn is_referred_to(&self) -> bool {
        false
    }

    #[doc(hidden)]
    fn any_source(source: Box<dyn Source<Self>>) -> AnySource;
    #[doc(hidden)]
    fn any_sink(sink: Box<dyn Sink<Self>>) -> AnySink;
    #[doc(hidden)]
    fn any_many_sink(sink: Box<dyn Sink<FromInput<Self>>>) -> AnySink;
    #[doc(hidden)]
    fn any_stage(stage: StageFrom<Self>) -> AnyStage;
    #[doc(hidden)]
    fn any_many_stage(stage: StageFrom<FromInput<Self>>) -> AnyStage;
    #[doc(hidden)]
    fn stage_from<I: Incoming>(stage: Box<dyn Stage<I, Self>>) -> StageFrom<I>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::VideoFrame {}
    impl Sealed for crate::AudioFrame {}
    impl Sealed for crate::EncodedFrame {}
    impl Sealed for crate::RtpPackets {}
}

macro_rules! erasures {
    ($variant:ident, $many:ident) => {
        fn any_source(source: Box<dyn Source<Self>>) -> AnySource {
            AnySource::$variant(source)
        }
        fn any_sink(sink: Box<dyn Sink<Self>>) -> AnySink {
            AnySink::$variant(sink)
        }
        fn any_many_sink(sink: Box<dyn Sink<FromInput<Self>>>) -> AnySink {
            AnySink::$many(sink)
        }
        fn any_stage(stage: StageFrom<Self>) -> AnyStage {
            AnyStage::$variant(stage)
        }
        fn any_many_stage(stage: StageFrom<FromInput<Self>>) -> AnyStage {
            AnyStage::$many(stage)
        }
        fn stage_from<I: Incoming>(stage: Box<dyn Stage<I, Self>>) -> StageFrom<I> {
            StageFrom::$variant(stage)
        }
    };
}

impl Item for VideoFrame {
    const KIND: &'static str = "raw video";
    const RAW: Option<Media> = Some(Media::Video);
    fn time(&self) -> Timestamp {
        self.time
    }
    fn time_is_estimated(&self) -> bool {
        self.time_is_estimated
    }
    fn size(&self) -> usize {
        self.byte_len()
    }
    erasures!(Video, ManyVideo);
}

impl Item for AudioFrame {
    const KIND: &'static str = "raw audio";
    const RAW: Option<Media> = Some(Media::Audio);
    fn time(&self) -> Timestamp {
        self.time
    }
    fn time_is_estimated(&self) -> bool {
        self.time_is_estimated
    }
    fn size(&self) -> usize {
        size_of_val(&self.samples[..])
    }
    erasures!(Audio, ManyAudio);
}

impl Item for EncodedFrame {
    const KIND: &'static str = "encoded frames";
    fn time(&self) -> Timestamp {
        self.time
    }
    fn time_is_estimated(&self) -> bool {
        self.time_is_estimated
    }
    fn size(&self) -> usize {
        self.data.len()
    }
    fn role(&self) -> Role {
        self.role
    }
    fn layer(&self) -> Layer {
        self.layer
    }
    fn is_referred_to(&self) -> bool {
        self.codec.media == Media::Video && matches!(self.role, Role::Start | Role::Reference)
    }
    erasures!(Encoded, ManyEncoded);
}

impl Item for RtpPackets {
    const KIND: &'static str = "RTP packets";
    fn time(&self) -> Timestamp {
        self.time
    }
    fn time_is_estimated(&self) -> bool {
        self.time_is_estimated
    }
    fn size(&self) -> usize {
        self.payload_len()
    }
    fn role(&self) -> Role {
        self.role
    }
    fn layer(&self) -> Layer {
        self.layer
    }
    fn is_referred_to(&self) -> bool {
        self.codec.media == Media::Video && matches!(self.role, Role::Start | Role::Reference)
    }
    erasures!(Packets, ManyPackets);
}

/// What a stage is called with: an item, or what happened at one of several inputs. For runners.
#[doc(hidden)]
pub trait Incoming: MaybeSend + 'static {
    /// The kind of its item.
    type Item: Item;
    /// The item and the input that it came through; nothing where there is no item.
    fn item(&self) -> Option<(InputId, &Self::Item)>;
}

impl<T: Item> Incoming for T {
    type Item = T;
    fn item(&self) -> Option<(InputId, &T)> {
        Some((InputId::new(0), self))
    }
}

impl<T: Item> Incoming for FromInput<T> {
    type Item = T;
    fn item(&self) -> Option<(InputId, &T)> {
        match &self.event {
            InputEvent::Item(item) => Some((self.input, item)),
            InputEvent::Joined | InputEvent::Ended => None,
        }
    }
}
