//! What stands before the packets of Opus in Ogg (RFC 7845, section 5), and how long one lasts
//! (RFC 6716, section 3).

use super::page::Page;

/// Samples per second in which Ogg counts Opus, whatever the sound was recorded with.
pub(crate) const RATE: u32 = 48_000;
/// What libopus needs before its output is in step with its input, at 48 kHz (6.5 ms:
/// `OPUS_GET_LOOKAHEAD`); the start of the sound that a player leaves out.
pub(crate) const PRE_SKIP: u16 = 312;
/// The longest that a packet lasts: 120 ms (RFC 6716, section 3.2.5, R5).
const MAX_SAMPLES: u32 = 5760;

/// Checks the first packet of a stream, or says what is wrong.
pub(crate) fn check_head(packet: &[u8]) -> Result<(), String> {
    if !packet.starts_with(b"OpusHead") {
        return Err("there is no Opus in it; `ffmpeg -i INPUT -c:a libopus OUTPUT.ogg` makes such a file".to_owned());
    }
    let &[version, channels, .., family] = packet.get(8..19).unwrap_or_default() else {
        return Err(format!("the packet `OpusHead` has {} bytes; it needs 19", packet.len()));
    };
    // A reader takes every version whose upper half is 0 (section 5.1).
    if version >> 4 != 0 {
        return Err(format!("`OpusHead` is of version {version}; what can be read is 0 to 15"));
    }
    // Family 1 says how many streams of packets there are (section 5.1.1.2): one alone is framed as in family 0.
    let streams = if family == 0 { 1 } else { packet.get(19).copied().unwrap_or(0) };
    if family > 1 || !(1..=2).contains(&channels) || streams != 1 {
        let layout = layout(family, channels).map(|layout| format!(" ({layout})")).unwrap_or_default();
        return Err(format!(
            "{channels} channels{layout} in mapping family {family}, {streams} streams; what can be read is 1 or 2 channels in one stream: `ffmpeg -i INPUT -ac 2 -c:a libopus OUTPUT.ogg` makes that"
        ));
    }
    Ok(())
}

/// What the channels of a family are called (section 5.1.1).
fn layout(family: u8, channels: u8) -> Option<&'static str> {
    Some(match (family, channels) {
        (0 | 1, 1) => "mono",
        (0 | 1, 2) => "stereo",
        (1, 3) => "left, centre, right",
        (1, 4) => "quadraphonic",
        (1, 5) => "5.0",
        (1, 6) => "5.1",
        (1, 7) => "6.1",
        (1, 8) => "7.1",
        (2 | 3, _) => "ambisonics",
        (255, _) => "without places",
        _ => return None,
    })
}

/// Whether `page`, from the middle of a stream, and the one behind it may hold Opus: the packets can be such, and last
/// as long as the pages count.
pub(crate) fn is_plausible(page: &Page, following: Option<&Page>) -> bool {
    let (mut whole, open) = page.whole_packets();
    let Some(sum) = whole.try_fold(0, |sum, packet| Some(sum + u64::from(samples(packet)?))) else { return false };
    if page.granule != u64::MAX && sum > page.granule {
        return false;
    }
    let Some(next) = following.filter(|next| next.serial == page.serial) else { return true };
    if next.sequence != page.sequence.wrapping_add(1) || next.granule == u64::MAX || page.granule == u64::MAX {
        return true;
    }
    let (mut whole, _) = next.whole_packets();
    let Some(sum) = whole.try_fold(0, |sum, packet| Some(sum + u64::from(samples(packet)?))) else { return false };
    let ends = next.lacing.iter().any(|len| *len < 255);
    let continued = open.filter(|_| next.continued && ends).map_or(Some(0), samples);
    let counted = next.granule.wrapping_sub(page.granule);
    // The last page of a stream may count less: its end is cut (RFC 7845, section 4.5).
    continued.is_some_and(|samples| {
        let sum = sum + u64::from(samples);
        counted == sum || next.last && counted < sum
    })
}

/// The first packet of a stream of ours. Two channels always: every packet says for itself whether
/// it is mono, and may do so in the middle of a stream.
pub(crate) fn head() -> [u8; 19] {
    let mut head = *b"OpusHead\x01\x02\0\0\0\0\0\0\0\0\0";
    head[10..12].copy_from_slice(&PRE_SKIP.to_le_bytes());
    head[12..16].copy_from_slice(&RATE.to_le_bytes());
    head
}

/// The second packet of a stream: who wrote it, and no comments.
pub(crate) fn tags() -> Vec<u8> {
    let vendor = b"millstream";
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&0u32.to_le_bytes());
    tags
}

/// How many samples at 48 kHz `packet` stands for; `None` if it cannot be one.
pub(crate) fn samples(packet: &[u8]) -> Option<u32> {
    let frames = match *packet {
        [toc, ..] if toc & 3 == 0 => 1,
        [toc, ..] if toc & 3 != 3 => 2,
        [_, count, ..] => u32::from(count & 0x3F),
        _ => return None,
    };
    let samples = frames * frame_samples(packet[0]);
    (1..=MAX_SAMPLES).contains(&samples).then_some(samples)
}

/// How many samples at 48 kHz each frame of a packet stands for whose first byte is `toc`
/// (RFC 6716, table 2).
pub(crate) fn frame_samples(toc: u8) -> u32 {
    let size = usize::from(toc >> 3 & 3);
    match toc >> 3 {
        0..12 => [480, 960, 1920, 2880][size],
        12..16 => [480, 960][size & 1],
        _ => [120, 240, 480, 960][size],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_says_how_long_a_packet_lasts() {
        for (packet, expected) in [
            (&[0][..], Some(480)),
            (&[3 << 3], Some(2880)),
            (&[12 << 3], Some(480)),
            (&[15 << 3 | 1], Some(1920)),
            (&[16 << 3], Some(120)),
            (&[31 << 3 | 2, 0], Some(1920)),
            (&[31 << 3 | 3, 6], Some(5760)),
            (&[31 << 3 | 3, 7], None),
            (&[31 << 3 | 3, 0], None),
            (&[31 << 3 | 3], None),
            (&[], None),
        ] {
            assert_eq!(samples(packet), expected, "{packet:?}");
        }
    }

    #[test]
    fn heads_of_ours_are_taken_and_others_refused_in_words() {
        check_head(&head()).unwrap();
        for (at, value, words) in [
            (0, b'o', "no Opus"),
            (8, 16, "version 16"),
            (9, 6, "6 channels"),
            (18, 2, "2 channels (ambisonics) in mapping family 2"),
        ] {
            let mut head = head();
            head[at] = value;
            let error = check_head(&head).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!(check_head(&head()[..18]).unwrap_err().contains("18 bytes"));
    }

    #[test]
    fn one_stream_in_family_1_is_taken_and_more_channels_are_named() {
        let head = |channels: u8, mapping: &[u8]| {
            let mut head = [&head()[..], mapping].concat();
            (head[9], head[18]) = (channels, 1);
            check_head(&head)
        };
        head(1, &[1, 0, 0]).unwrap();
        head(2, &[1, 1, 0, 1]).unwrap();
        for (channels, mapping, words) in [
            (2, &[2, 0, 0, 1][..], "2 channels (stereo) in mapping family 1, 2 streams"),
            (2, &[], "2 channels (stereo) in mapping family 1, 0 streams"),
            (6, &[4, 2, 0, 4, 1, 2, 3, 5], "6 channels (5.1) in mapping family 1, 4 streams"),
            (8, &[5, 3, 0, 6, 1, 2, 3, 4, 5, 7], "8 channels (7.1) in mapping family 1, 5 streams"),
        ] {
            let error = head(channels, mapping).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
