//! The thread in which an encoder of `vpx-encode` lives, since it may not leave one.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use millstream_core::{ByteRing, Error, Result, VideoFrame};
use vpx_encode::{Config, VideoCodecId};

/// Ticks of the encoder's clock in a second. The crate says of each picture that it lasts one tick, and libvpx
/// takes a frame's share of the bit rate from that: so a tick is a picture of 30 in a second.
pub(crate) const TICKS_PER_SECOND: u32 = 30;

/// An encoder in its thread, for pictures of one size.
pub(crate) struct Worker {
    // An option, to close it before the thread is waited for.
    pictures: Option<SyncSender<(VideoFrame, i64)>>,
    frames: Receiver<Result<Vec<Packet>>>,
    thread: Option<JoinHandle<()>>,
}

/// One encoded frame.
pub(crate) struct Packet {
    pub(crate) data: millstream_core::Bytes,
    pub(crate) key: bool,
}

/// Bytes in a chunk of the ring: some frames at least, whose size nothing limits.
const CHUNK: usize = 256 * 1024;

/// Chunks in the ring; a packetizer lets go of a frame as soon as it has copied it.
const CHUNKS: usize = 4;

impl Worker {
    /// An encoder for pictures of `size`.
    pub(crate) fn new(size: (u32, u32), kbps: u32) -> Result<Worker> {
        let (pictures, taken) = sync_channel(1);
        let (given, frames) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("vpx-encode".into())
            .spawn(move || run(size, kbps, &taken, &given))
            .map_err(|error| Error::fatal(format!("a thread for vpx-encode: {error}")))?;
        Ok(Worker { pictures: Some(pictures), frames, thread: Some(thread) })
    }

    /// Encodes an I420 picture of the encoder's size, at a tick above the last one's.
    pub(crate) fn encode(&mut self, picture: VideoFrame, tick: i64) -> Result<Vec<Packet>> {
        let pictures = self.pictures.as_ref().expect("it is taken when this is dropped");
        let sent = pictures.send((picture, tick)).is_ok();
        self.frames.recv().unwrap_or_else(|_| {
            let when = if sent { "while it encoded" } else { "before" };
            Err(Error::fatal(format!("the thread of vpx-encode ended {when}")))
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.pictures = None;
        if let Some(thread) = self.thread.take() {
            // It ends with its pictures. That it panicked was told when a frame was missing.
            let _ = thread.join();
        }
    }
}

fn run(
    (width, height): (u32, u32),
    kbps: u32,
    pictures: &Receiver<(VideoFrame, i64)>,
    frames: &SyncSender<Result<Vec<Packet>>>,
) {
    let timebase = [1, TICKS_PER_SECOND as i32];
    let config = Config { width, height, timebase, bitrate: kbps, codec: VideoCodecId::VP8 };
    let mut encoder = vpx_encode::Encoder::new(config);
    let mut ring = ByteRing::new(CHUNK, CHUNKS);
    let mut tight = Vec::new();
    for (picture, tick) in pictures {
        tight.clear();
        (0..3).flat_map(|index| picture.plane(index).iter()).for_each(|row| tight.extend_from_slice(row));
        let encoded = encoder.as_mut().map_err(|error| failed(error)).and_then(|encoder| {
            let packets = encoder.encode(tick, &tight).map_err(|error| failed(&error))?;
            Ok(packets.map(|frame| Packet { data: ring.copy(frame.data), key: frame.key }).collect())
        });
        if frames.send(encoded).is_err() {
            return;
        }
    }
}

fn failed(error: &vpx_encode::Error) -> Error {
    Error::fatal(format!("vpx-encode: {error}"))
}
