//! What a viewer gets: packets in order, frames, and whether each can be decoded.
//!
//! A frame is *undecodable* if it was delivered although the frame it refers to was left out by the
//! sender: the picture ids jump while the sequence numbers do not. What the network loses is asked
//! for again by the viewer and is nobody's fault; what is skipped after such a loss is counted apart.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::vp8;

/// How long a packet that is missing is waited for: it is asked for again every 100 ms (rtc 0.21.1).
const PATIENCE: Duration = Duration::from_millis(400);
/// More packets than a key frame has: nothing is waited for behind them.
const MOST: usize = 1024;
/// Seconds from the NTP epoch to the Unix epoch (RFC 868).
const NTP_UNIX: f64 = 2_208_988_800.0;

/// Takes frames that can be decoded, with their RTP timestamps.
pub(crate) type Taker = std::sync::mpsc::Sender<(u32, Vec<u8>)>;

/// A frame that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// When its last packet was there.
    pub(crate) at: Instant,
    /// When it was captured, in seconds since the Unix epoch, if it says so.
    pub(crate) captured: Option<f64>,
    /// Its RTP timestamp.
    pub(crate) ticks: u32,
    pub(crate) key: bool,
}

/// What a viewer has seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// The connection stands.
    pub(crate) connected: bool,
    /// The connection has ended, and why.
    pub(crate) ended: Option<String>,
    /// The video's SSRC.
    pub(crate) ssrc: u32,
    /// Packets of sound.
    pub(crate) sound: u64,
    /// Whole frames of video.
    pub(crate) frames: u64,
    pub(crate) key_frames: u64,
    /// See above.
    pub(crate) undecodable: u64,
    /// Packets that never came.
    pub(crate) lost: u64,
    /// Frames that could not be decoded because packets were lost before them.
    pub(crate) skipped: u64,
    /// The longest time between two frames, since it was last set to nothing.
    pub(crate) longest_gap: Duration,
    /// When the last frame came.
    pub(crate) last: Option<Instant>,
    /// Keep `seen`.
    pub(crate) keep: bool,
    pub(crate) seen: Vec<Seen>,
}

/// A packet as it came.
pub(super) struct Packet {
    pub(super) at: Instant,
    pub(super) sequence: u16,
    pub(super) ticks: u32,
    pub(super) marker: bool,
    /// When it was captured, as an NTP timestamp.
    pub(super) captured: Option<u64>,
    pub(super) payload: Vec<u8>,
}

/// Where the decoder stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// Nothing was lost, and no key frame came: the sender may not send anything else.
    Start,
    /// The frame with this number was decoded.
    At(Option<u16>),
    /// Packets were lost: a key frame is waited for.
    Lost,
    /// The sender left a frame out.
    Broken,
}

/// A frame that is being put together.
struct Partial {
    ticks: u32,
    picture_id: Option<u16>,
    captured: Option<u64>,
    data: Vec<u8>,
}

/// The video of one viewer.
pub(super) struct Video {
    /// Extended sequence number of the next packet in order. Our senders count from 1.
    next: u64,
    waiting: BTreeMap<u64, Packet>,
    partial: Option<Partial>,
    chain: Chain,
    taker: Option<Taker>,
}

impl Video {
    pub(super) fn new(taker: Option<Taker>) -> Video {
        // The first cycle is 1, so that a packet from before the first is no negative number.
        let next = (1 << 16) + 1;
        Video { next, waiting: BTreeMap::new(), partial: None, chain: Chain::Start, taker }
    }

    /// Takes `packet`, and notes every frame that is whole with it.
    pub(super) fn take(&mut self, packet: Packet, log: &mut Log) {
        let ahead = packet.sequence.wrapping_sub(self.next as u16) as i16;
        let extended = self.next.wrapping_add_signed(ahead.into());
        if extended >= self.next {
            self.waiting.entry(extended).or_insert(packet);
        }
        self.drain(log);
    }

    /// Gives up on what has not come in time; `true` if a key frame has to be asked for.
    pub(super) fn look(&mut self, now: Instant, log: &mut Log) -> bool {
        if let Some((first, packet)) = self.waiting.first_key_value()
            && (packet.at + PATIENCE <= now || self.waiting.len() > MOST)
        {
            log.lost += first - self.next;
            self.next = *first;
            self.partial = None;
            self.chain = Chain::Lost;
            self.drain(log);
        }
        matches!(self.chain, Chain::Lost | Chain::Broken)
    }

    fn drain(&mut self, log: &mut Log) {
        while let Some(packet) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.hear(packet, log);
        }
    }

    fn hear(&mut self, packet: Packet, log: &mut Log) {
        let Some(payload) = vp8::read(&packet.payload) else { return };
        if payload.first {
            self.partial = Some(Partial {
                ticks: packet.ticks,
                picture_id: payload.picture_id,
                captured: packet.captured,
                data: Vec::new(),
            });
        }
        let Some(partial) = self.partial.as_mut().filter(|partial| partial.ticks == packet.ticks) else { return };
        partial.data.extend_from_slice(payload.data);
        if packet.marker
            && let Some(frame) = self.partial.take()
        {
            self.judge(frame, packet.at, log);
        }
    }

    fn judge(&mut self, frame: Partial, at: Instant, log: &mut Log) {
        let key = vp8::is_key(&frame.data);
        let follows = |before: Option<u16>| match (before, frame.picture_id) {
            (Some(before), Some(id)) => (before + 1) & 0x7fff == id,
            _ => true,
        };
        self.chain = match self.chain {
            _ if key => Chain::At(frame.picture_id),
            Chain::At(before) if follows(before) => Chain::At(frame.picture_id),
            Chain::Lost => {
                log.skipped += 1;
                Chain::Lost
            }
            _ => {
                log.undecodable += 1;
                Chain::Broken
            }
        };
        log.frames += 1;
        log.key_frames += u64::from(key);
        if let Some(last) = log.last.replace(at) {
            log.longest_gap = log.longest_gap.max(at - last);
        }
        if log.keep {
            let captured = frame.captured.map(|ntp| ntp as f64 / 2f64.powi(32) - NTP_UNIX);
            log.seen.push(Seen { at, captured, ticks: frame.ticks, key });
        }
        if let (Chain::At(_), Some(taker)) = (self.chain, &self.taker) {
            // Whoever takes frames may stop.
            let _ = taker.send((frame.ticks, frame.data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame in one packet: `sequence`, `picture`, and whether it is a key frame.
    fn packet(sequence: u16, picture: u8, key: bool) -> Packet {
        let payload = vec![0x90, 0x80, picture, u8::from(!key)];
        let ticks = u32::from(picture) * 3000;
        Packet { at: Instant::now(), sequence, ticks, marker: true, captured: None, payload }
    }

    fn judged(packets: &[(u16, u8, bool)]) -> (Log, bool) {
        let (mut log, mut video) = (Log::default(), Video::new(None));
        packets.iter().for_each(|(sequence, picture, key)| video.take(packet(*sequence, *picture, *key), &mut log));
        let asks = video.look(Instant::now() + PATIENCE, &mut log);
        (log, asks)
    }

    #[test]
    fn packets_out_of_order_are_put_in_order() {
        let (log, asks) = judged(&[(1, 1, true), (3, 3, false), (2, 2, false), (3, 3, false), (4, 4, false)]);
        assert_eq!((log.frames, log.key_frames, log.undecodable, log.lost, asks), (4, 1, 0, 0, false));
    }

    #[test]
    fn what_the_sender_left_out_is_its_fault_until_the_next_key_frame() {
        let (log, asks) = judged(&[(1, 1, true), (2, 3, false), (3, 4, false)]);
        assert_eq!((log.undecodable, log.skipped, asks), (2, 0, true));
        let (log, asks) = judged(&[(1, 1, true), (2, 3, false), (3, 4, true), (4, 5, false)]);
        assert_eq!((log.undecodable, asks), (1, false));
        let (log, _) = judged(&[(1, 7, false)]);
        assert_eq!(log.undecodable, 1, "a stream starts with a key frame");
    }

    #[test]
    fn what_the_network_lost_is_not() {
        let (log, asks) = judged(&[(1, 1, true), (3, 3, false), (4, 4, false)]);
        assert_eq!((log.undecodable, log.lost, log.skipped, asks), (0, 1, 2, true));
    }
}
