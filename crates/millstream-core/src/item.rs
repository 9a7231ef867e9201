//! What every item tells a link: when it was captured, how large it is, and what hangs on it.

use crate::format::Media;
use crate::input::{FromInput, Received};
use crate::time::Timestamp;
use crate::worker::{AnySink, AnySource, AnyStage, StageFrom};
use crate::{AudioFrame, EncodedFrame, MaybeSend, RtpPackets, Sink, Source, Stage, VideoFrame};

/// What hangs on an item, so that a link knows what else it drops when it drops one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A decoder can start here. Every raw item and every audio packet is one.
    Start,
    /// Later frames refer to it: without it they cannot be decoded until the next start.
    Reference,
    /// Nothing refers to it: dropping it opens no gap.
    Discardable,
}

/// Which layer of an encoding a frame belongs to; both are 0 where there is one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Layer {
    /// 0 is the smallest picture.
    pub spatial: u8,
    /// 0 is the lowest frame rate.
    pub temporal: u8,
}

/// One of the four kinds of item that flow. Sealed: a runner knows them all.
pub trait Item: Clone + MaybeSend + sealed::Sealed + Sized + 'static {
    /// The kind in words, as a diagnostic says it.
    const KIND: &'static str;
    /// Sound or picture, of a raw kind.
    const RAW: Option<Media> = None;

    /// When it was captured.
    fn time(&self) -> Timestamp;
    /// Its payload in bytes.
    fn size(&self) -> usize;
    /// What hangs on it.
    fn role(&self) -> Role {
        Role::Start
    }
    /// The layer it belongs to.
    fn layer(&self) -> Layer {
        Layer::default()
    }
    /// Whether later items refer to it, so that dropping it leaves them undecodable: true of
    /// encoded video that is not [`Role::Discardable`].
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
    fn stage_from<I: Received>(stage: Box<dyn Stage<I, Self>>) -> StageFrom<I>;
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
        fn stage_from<I: Received>(stage: Box<dyn Stage<I, Self>>) -> StageFrom<I> {
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
        self.codec.media == Media::Video && self.role != Role::Discardable
    }
    erasures!(Encoded, ManyEncoded);
}

impl Item for RtpPackets {
    const KIND: &'static str = "RTP packets";
    fn time(&self) -> Timestamp {
        self.time
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
        self.codec.media == Media::Video && self.role != Role::Discardable
    }
    erasures!(Packets, ManyPackets);
}
