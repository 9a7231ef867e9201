//! Sources, stages and sinks whose types have been erased, and are matched again by the runner that joins them.
//!
//! These enums are exhaustive: a runner handles every kind of item, and one that lacks a kind should not compile.

use crate::audio::AudioFrame;
use crate::encoded::EncodedFrame;
use crate::input::FromInput;
use crate::rtp::RtpPackets;
use crate::stage::{Sink, Source, Stage};
use crate::video::VideoFrame;

/// A source of one of the four kinds of item.
pub enum AnySource {
    /// Gives raw pictures.
    Video(Box<dyn Source<VideoFrame>>),
    /// Gives raw sound.
    Audio(Box<dyn Source<AudioFrame>>),
    /// Gives encoded frames.
    Encoded(Box<dyn Source<EncodedFrame>>),
    /// Gives RTP packets.
    Packets(Box<dyn Source<RtpPackets>>),
}

/// A sink of one of the four kinds of item.
pub enum AnySink {
    /// Takes raw pictures.
    Video(Box<dyn Sink<VideoFrame>>),
    /// Takes raw sound.
    Audio(Box<dyn Sink<AudioFrame>>),
    /// Takes encoded frames.
    Encoded(Box<dyn Sink<EncodedFrame>>),
    /// Takes RTP packets.
    Packets(Box<dyn Sink<RtpPackets>>),
    /// Takes raw pictures of several inputs.
    ManyVideo(Box<dyn Sink<FromInput<VideoFrame>>>),
    /// Takes raw sound of several inputs.
    ManyAudio(Box<dyn Sink<FromInput<AudioFrame>>>),
    /// Takes encoded frames of several inputs.
    ManyEncoded(Box<dyn Sink<FromInput<EncodedFrame>>>),
    /// Takes RTP packets of several inputs.
    ManyPackets(Box<dyn Sink<FromInput<RtpPackets>>>),
}

/// A stage, by what it takes.
pub enum AnyStage {
    /// Takes raw pictures.
    Video(StageFrom<VideoFrame>),
    /// Takes raw sound.
    Audio(StageFrom<AudioFrame>),
    /// Takes encoded frames.
    Encoded(StageFrom<EncodedFrame>),
    /// Takes RTP packets.
    Packets(StageFrom<RtpPackets>),
    /// Takes raw pictures of several inputs.
    ManyVideo(StageFrom<FromInput<VideoFrame>>),
    /// Takes raw sound of several inputs.
    ManyAudio(StageFrom<FromInput<AudioFrame>>),
    /// Takes encoded frames of several inputs.
    ManyEncoded(StageFrom<FromInput<EncodedFrame>>),
    /// Takes RTP packets of several inputs.
    ManyPackets(StageFrom<FromInput<RtpPackets>>),
}

/// A stage that takes `I`, by what it gives.
pub enum StageFrom<I> {
    /// Gives raw pictures.
    Video(Box<dyn Stage<I, VideoFrame>>),
    /// Gives raw sound.
    Audio(Box<dyn Stage<I, AudioFrame>>),
    /// Gives encoded frames.
    Encoded(Box<dyn Stage<I, EncodedFrame>>),
    /// Gives RTP packets.
    Packets(Box<dyn Stage<I, RtpPackets>>),
}
