//! Which of the other side's candidates can be used.

/// Whether the crate can send to `candidate`, which is an attribute without its `a=`. One that it cannot
/// use is ignored, and others may do (RFC 8839, section 5.1).
pub(crate) fn is_usable(candidate: &str) -> bool {
    let Some(value) = candidate.strip_prefix("candidate:") else { return false };
    let mut words = value.split_ascii_whitespace();
    let (component, address) = (words.nth(1), words.nth(2));
    // RTCP has no port of its own. A name would have to be resolved on a network that we do not know; a
    // browser that hides its address behind one sends the first packet itself.
    component == Some("1")
        && address.and_then(|address| address.parse().ok()).is_some_and(is_host)
        && rtc::ice::candidate::unmarshal_candidate(value).is_ok()
}

fn is_host(address: std::net::IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast()
}
