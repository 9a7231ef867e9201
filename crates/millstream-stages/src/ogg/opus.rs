//! What stands before the packets of Opus in Ogg (RFC 7845, section 5), and how long one lasts
//! (RFC 6716, section 3).

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
    if family != 0 || !(1..=2).contains(&channels) {
        return Err(format!(
            "{channels} channels in mapping family {family}; what can be read is 1 or 2 channels in family 0: `ffmpeg -i INPUT -ac 2 OUTPUT.ogg` makes that"
        ));
    }
    Ok(())
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
        for (at, value, words) in
            [(0, b'o', "no Opus"), (8, 16, "version 16"), (9, 6, "6 channels"), (18, 1, "family 1")]
        {
            let mut head = head();
            head[at] = value;
            let error = check_head(&head).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!(check_head(&head()[..18]).unwrap_err().contains("18 bytes"));
    }
}
