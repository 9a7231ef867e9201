//! G.711, the codec of telephones: µ-law (PCMU) and A-law (PCMA), in Rust, without a library.
//!
//! What is not here: the low-complexity concealment and silence of G.711's appendices, several
//! channels, and depacketizing.
//!
//! | stage type | takes | gives |
//! |---|---|---|
//! | `pcmu-encoder`, `pcma-encoder` | raw audio | encoded audio, 20 ms each |
//! | `pcmu-decoder`, `pcma-decoder` | encoded audio | raw audio, mono at 8 kHz |
//! | `pcmu-packetizer`, `pcma-packetizer` | encoded audio | RTP packets (RFC 3551, section 4.5.14) |
//!
//! ```
//! use millstream_codec_g711::{Encoder, Law};
//! use millstream_core::{AudioFrame, Out, Stage, Timestamp};
//!
//! let mut encoder = Encoder::new(Law::Mu);
//! let mut out = Out::at(Timestamp::ZERO);
//! let block = AudioFrame::new(8_000, 1, Timestamp::ZERO, vec![0.0; 200]);
//! encoder.process(block, &mut out)?;
//! // 160 samples are one frame of 160 bytes, and 40 samples wait for more.
//! let frame = out.items().pop_front().expect("a frame");
//! assert_eq!(frame.data[..], [0xFF; 160]);
//! # Ok::<(), millstream_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod decimator;
mod decoder;
mod encoder;
mod law;
mod options;
mod packetizer;

use millstream_core::known::{Known, SoundGiven, SoundTaken};
use millstream_core::{Codec, CodecParameters, Descriptor, Format, Media, Registry, Worker};

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use law::Law;
pub use options::{NoOptions, PacketizerOptions};
pub use packetizer::{MAX_PAYLOAD, Packetizer};

/// µ-law: ITU-T G.711, in RTP RFC 3551, where it has the static payload type 0.
pub const PCMU: Codec = Codec::from_static(&PCMU_PARAMETERS);

/// A-law: ITU-T G.711, in RTP RFC 3551, where it has the static payload type 8.
pub const PCMA: Codec = Codec::from_static(&PCMA_PARAMETERS);

static PCMU_PARAMETERS: CodecParameters = CodecParameters::new("pcmu", Media::Audio, "PCMU", RATE, 1, "");
static PCMA_PARAMETERS: CodecParameters = CodecParameters::new("pcma", Media::Audio, "PCMA", RATE, 1, "");

/// Samples per second, and bytes.
const RATE: u32 = 8_000;

/// Adds the encoders, decoders and packetizers of both laws to what `registry` knows.
pub fn register(registry: &mut Registry) {
    for law in [Law::Mu, Law::A] {
        registry.add(encoder(law));
        registry.add(decoder(law));
        registry.add(packetizer(law));
    }
}

/// The rates that are taken, the one that keeps most for others first.
const RATES: &[u32] = &[48_000, 8_000, 16_000, 24_000, 32_000, 40_000, 56_000, 64_000, 72_000, 80_000, 88_000, 96_000];

/// The stage type `pcmu-encoder` or `pcma-encoder`.
pub fn encoder(law: Law) -> Descriptor {
    let (name, doc) = match law {
        Law::Mu => ("pcmu-encoder", "Encodes sound as G.711 µ-law"),
        Law::A => ("pcma-encoder", "Encodes sound as G.711 A-law"),
    };
    Descriptor::stage(name, doc, Format::Audio, Format::Encoded(law.codec()))
        .light()
        .taking(SoundTaken { rates: RATES, channels: 2 })
        .build(move |_: NoOptions, _| Ok(Worker::stage(Encoder::new(law))))
}

/// The stage type `pcmu-decoder` or `pcma-decoder`.
pub fn decoder(law: Law) -> Descriptor {
    let (name, doc) = match law {
        Law::Mu => ("pcmu-decoder", "Decodes G.711 µ-law"),
        Law::A => ("pcma-decoder", "Decodes G.711 A-law"),
    };
    Descriptor::stage(name, doc, Format::Encoded(law.codec()), Format::Audio).light().knowing(
        |_: &NoOptions| Known::default().gives(SoundGiven::always(RATE, 1)),
        move |_: NoOptions, _| Ok(Worker::stage(Decoder::new(law))),
    )
}

/// The stage type `pcmu-packetizer` or `pcma-packetizer`.
pub fn packetizer(law: Law) -> Descriptor {
    let (name, doc) = match law {
        Law::Mu => ("pcmu-packetizer", "Puts G.711 µ-law into RTP packets (RFC 3551)"),
        Law::A => ("pcma-packetizer", "Puts G.711 A-law into RTP packets (RFC 3551)"),
    };
    let codec = law.codec();
    Descriptor::stage(name, doc, Format::Encoded(codec.clone()), Format::Packets(codec))
        .light()
        .build(move |options: PacketizerOptions, _| Ok(Worker::stage(Packetizer::new(law, options))))
}
