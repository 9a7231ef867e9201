//! Which format parameters make two payload formats different, codec by codec.
//!
//! They are those that RTP payload formats want to be the same in offer and answer, because a decoder of one
//! cannot read the other. Levels are not among them: an answer may lower them.

use super::CodecParameters;

/// Whether the format parameters of `a` and `b`, whose encoding is the same, mean the same payload format.
pub(super) fn is_same(a: &CodecParameters, b: &CodecParameters) -> bool {
    let same = |name: &str, default: &str| {
        let value = |of: &CodecParameters| of.parameter(name).unwrap_or(default).to_ascii_lowercase();
        value(a) == value(b)
    };
    match a.encoding.to_ascii_uppercase().as_str() {
        // RFC 6184, section 8.2.2.
        "H264" => same("packetization-mode", "0") && h264_profile(a) == h264_profile(b),
        // RFC 7798, section 7.2.2, and its defaults in section 7.1.
        "H265" => {
            let defaults = [("profile-space", "0"), ("profile-id", "1"), ("tier-flag", "0"), ("tx-mode", "srst")];
            defaults.into_iter().all(|(name, default)| same(name, default))
        }
        // RFC 9628, section 7.
        "VP9" => same("profile-id", "0"),
        // RTP Payload Format For AV1 (AOMedia), section 7.2.
        "AV1" => same("profile", "0"),
        _ => true,
    }
}

/// An H.264 profile: `profile_idc`, and of the constraint flags in `profile-iop` those that tell profiles apart.
type H264Profile = Result<(u8, u8), String>;

const BASELINE: u8 = 0x42;
const MAIN: u8 = 0x4D;
const EXTENDED: u8 = 0x58;

/// The profile that `profile-level-id` means by table 5 of RFC 6184, section 8.1; the text itself if it is not
/// six hexadecimal digits.
fn h264_profile(codec: &CodecParameters) -> H264Profile {
    const CONSTRAINED_BASELINE: (u8, u8) = (BASELINE, 0x40);
    // RFC 6184 reads none as Baseline. libwebrtc, and so every browser, reads it as Constrained Baseline, which is
    // what the peers that leave it out send: nobody sends the rest of Baseline.
    let Some(text) = codec.parameter("profile-level-id") else { return Ok(CONSTRAINED_BASELINE) };
    let is_hex = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex.then(|| u32::from_str_radix(text, 16).ok()).flatten();
    let [_, idc, iop, _level] = number.ok_or_else(|| text.to_ascii_lowercase())?.to_be_bytes();
    let (set0, set1) = (iop & 0x80 != 0, iop & 0x40 != 0);
    Ok(match (idc, set0, set1) {
        (BASELINE, _, true) | (MAIN, true, _) | (EXTENDED, true, true) => CONSTRAINED_BASELINE,
        (BASELINE, _, false) | (EXTENDED, true, false) => (BASELINE, 0),
        (MAIN | EXTENDED, false, _) => (idc, 0),
        _ => (idc, iop),
    })
}

#[cfg(test)]
mod tests {
    use crate::{Codec, Media};

    fn is_same(encoding: &str, a: &str, b: &str) -> bool {
        let codec = |fmtp| Codec::new(Media::Video, encoding, 90_000, 0).unwrap().with_fmtp(fmtp).unwrap();
        let same = codec(a) == codec(b);
        assert_eq!(codec(b) == codec(a), same, "either way round");
        assert!(codec(a).same_encoding(&codec(b)), "inside a pipeline they are alike");
        same
    }

    #[test]
    fn h264_is_told_apart_by_profile_and_packetization_mode() {
        let is_same = |a: &str, b: &str| is_same("H264", a, b);
        let browser = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
        assert!(is_same(
            browser,
            "packetization-mode=1; profile-level-id=42C014; sprop-parameter-sets=Z0LAFNkDxWhAAAADAEAAAAwDxYuS,aMuMsg=="
        ));
        assert!(!is_same(browser, "profile-level-id=42e01f"), "mode 0 is the default");
        assert!(
            !is_same(browser, "packetization-mode=1;profile-level-id=42001f"),
            "Baseline is not Constrained Baseline"
        );
        assert!(!is_same(browser, "packetization-mode=1;profile-level-id=4d001f"));
        assert!(is_same(browser, "packetization-mode=1"), "what browsers read where none is said");
        for (a, b) in [
            ("42f00b", "4d800a"),
            ("420014", "588014"),
            ("4d001f", "4d501e"),
            ("58c00a", "42e00a"),
            ("58001f", "58301f"),
        ] {
            assert!(is_same(&format!("profile-level-id={a}"), &format!("profile-level-id={b}")), "{a} {b}");
        }
        for (a, b) in [("64001f", "640c1f"), ("64001f", "4d001f"), ("58001f", "42001f"), ("f4001f", "64001f")] {
            assert!(!is_same(&format!("profile-level-id={a}"), &format!("profile-level-id={b}")), "{a} {b}");
        }
        assert!(is_same("profile-level-id=zz", "profile-level-id=ZZ") && !is_same("profile-level-id=+42e01", browser));
    }

    #[test]
    fn other_codecs_are_told_apart_by_their_profiles() {
        assert!(is_same("VP9", "", "profile-id=0") && !is_same("VP9", "profile-id=2", "profile-id=0"));
        assert!(is_same("AV1", "profile=0;level-idx=5", "level-idx=8;tier=1") && !is_same("AV1", "profile=1", ""));
        assert!(is_same("H265", "profile-id=1;level-id=93", "level-id=180;tx-mode=SRST"));
        for other in ["profile-id=2", "tier-flag=1", "tx-mode=MRST", "profile-space=1"] {
            assert!(!is_same("H265", "", other), "{other}");
        }
        assert!(is_same("VP8", "max-fr=30", "max-fs=3600"));
    }
}
