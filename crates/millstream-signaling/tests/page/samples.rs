//! What a browser sends.

#![allow(dead_code, unreachable_pub, reason = "unit tests and integration tests use different parts of it")]

/// What Chromium offers to receive, shortened.
pub const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=mid:0\r\na=recvonly\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=mid:1\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n";

/// What a viewer trickles.
pub const FRAGMENT: &str = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2113937151 127.0.0.1 50000 typ host\r\n\
    a=candidate:2 1 udp 2113937151 f00.local 50001 typ host generation 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=candidate:3 1 tcp 1 ::1 9 typ host tcptype active\r\n\
    a=end-of-candidates\r\n";

/// What a page reports.
pub const REPORT: &str = "{\"latency\":34.5,\"latency-error\":1.5,\"width\":1280,\"height\":720,\
    \"frames-per-second\":30.0,\"bitrate\":1500000.0,\"round-trip\":0.5,\"loss\":0.0,\"jitter-buffer\":12.0,\
    \"frames-decoded\":900,\"frames-dropped\":1,\"freeze-count\":0,\"freezes-duration\":0.0}";

/// `count` versions of `text` with a few bytes changed, cut out, doubled or swapped: the same each time.
pub fn mutations(text: &[u8], count: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (1..=count).map(|seed| {
        // xorshift64* (Vigna 2016): enough chance for a test, and the same everywhere.
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut below = move |limit: usize| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
        };
        let mut bytes = text.to_vec();
        for _ in 0..=below(6) {
            let (at, other) = (below(bytes.len()), below(bytes.len()));
            match below(6) {
                0 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = below(256) as u8),
                1 => bytes.truncate(at),
                2 => drop(bytes.drain(at.min(other)..at.max(other))),
                3 => bytes.extend_from_within(at.min(other)..at.max(other)),
                4 => bytes.insert(at, b" :=\r\n/\0\xff"[below(8)]),
                _ if !bytes.is_empty() => bytes.swap(at, other),
                _ => {}
            }
        }
        bytes
    })
}
