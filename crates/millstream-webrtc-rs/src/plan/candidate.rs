//! Which of the other side's candidates are of use.

/// Whether the crate can send to `candidate`, which is an attribute without its `a=`. One that it cannot
/// use is passed over, and others may do (RFC 8839, section 5.1).
pub(crate) fn is_usable(candidate: &str) -> bool {
    let Some(value) = candidate.strip_prefix("candidate:") else { return false };
    let mut words = value.split_ascii_whitespace();
    let (component, address) = (words.nth(1), words.nth(2));
    // RTCP has no port of its own. A name would have to be asked for, on whose network we cannot know; a
    // browser that hides its address behind one will call us.
    component == Some("1")
        && address.and_then(|address| address.parse().ok()).is_some_and(is_somebody)
        && rtc::ice::candidate::unmarshal_candidate(value).is_ok()
}

fn is_somebody(address: std::net::IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast()
}
