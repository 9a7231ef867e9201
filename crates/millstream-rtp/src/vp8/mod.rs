//! VP8 over RTP: RFC 7741.

mod descriptor;
mod options;
mod packetizer;

use millstream_core::{Descriptor, Format, VP8, Worker};

pub use options::{MaxPayload, Options};
pub use packetizer::Packetizer;

/// The stage type `vp8-packetizer`.
pub fn descriptor() -> Descriptor {
    Descriptor::stage(
        "vp8-packetizer",
        "Cuts VP8 frames into RTP packets (RFC 7741)",
        Format::Encoded(VP8),
        Format::Packets(VP8),
    )
    .light()
    .build(|options: Options, _| Ok(Worker::stage(Packetizer::new(options))))
}
