//! What is agreed with the other side: which section of its description carries which of our tracks.
//!
//! The `webrtc` crate gets those sections alone, in the form that it understands. Its answer
//! is then put back into the form of the offer, with the other sections in their place: turned down, or agreed
//! though nothing is sent in them. So one section that cannot be used affects no other.

mod answer;
mod candidate;
mod extensions;
mod for_crate;
mod idle;
mod section;
#[cfg(test)]
mod tests;
mod transport;

use millstream_core::{Error, Result};
use millstream_webrtc::sdp::Session;

use crate::track::Negotiated;

pub(crate) use answer::{named, without_rtcp_candidates};
pub(crate) use candidate::is_usable;
use idle::Idle;
pub(crate) use section::Wanted;
use section::{Formats, HELD};
use transport::{Role, Transport};

/// What is agreed.
#[derive(Debug)]
pub(crate) struct Plan {
    sections: Vec<Section>,
    /// The sections that share one transport, by name; the first one's is used (RFC 9143, section
    /// 7.3.1). Empty if the other side asked for no bundle.
    bundle: Vec<String>,
    /// The section whose transport is used.
    tagged: usize,
    /// That transport; there is none if no section is agreed.
    transport: Option<Transport>,
    /// The description as the crate gets it, if any section is negotiated with it.
    for_crate: Option<String>,
    /// The tracks whose codec the other side lacks, and what it has instead.
    lacking: Vec<(usize, String)>,
}

/// A section of the other side's description.
#[derive(Debug)]
struct Section {
    media: String,
    protocol: String,
    formats: String,
    mid: Option<String>,
    /// Its candidates are for the transport that is used.
    shares_transport: bool,
    /// What is sent, or why nothing is.
    fate: Result<Sent, String>,
    /// It is agreed though nothing is sent in it. What is neither sent nor agreed is turned down.
    idle: Option<Idle>,
}

/// What is sent in a section.
#[derive(Debug)]
struct Sent {
    /// The number of our track.
    track: usize,
    negotiated: Negotiated,
    /// The other side takes RTCP packets that stand alone (RFC 5506).
    reduced_size: bool,
    /// Nothing is sent for now.
    held: bool,
}

impl Plan {
    /// What can be agreed on the description `text`, for `tracks`.
    ///
    /// # Errors
    /// In words for the other side, if the description is malformed; if it is the offer that is `opening` a
    /// session, also if nothing can be sent. Later a side may hold or turn down all there is.
    pub(crate) fn of(text: &str, tracks: &[Wanted], opening: bool) -> Result<Plan> {
        let session = Session::read(text)?;
        let (fates, group) = section::judge(&session, tracks);
        let mut idle = idle::agree(&session, &fates, group.as_deref(), tracks);
        let is_agreed = |index: usize| fates[index].is_ok() || idle[index].is_some();
        // The section to go by is the first of the group that is neither turned down nor moved out of it.
        // One in which nothing is sent affects no other if its transport is of no use.
        let is_whole = |index: usize| fates[index].is_ok() || Transport::of(&session, index).is_ok();
        let is_transport = |index: usize| is_agreed(index) && session.sections[index].has_port() && is_whole(index);
        let tagged = match &group {
            Some(mids) => mids.iter().filter_map(|mid| session.position(mid)).find(|index| is_transport(*index)),
            None => fates.iter().position(Result::is_ok),
        };
        let sends = fates.iter().flatten().any(|formats| !formats.held);
        if (opening && !sends) || (tagged.is_none() && fates.iter().any(Result::is_ok)) {
            return Err(nothing(&session, &fates));
        }
        let is_used = |mid: &&str| session.position(mid).is_some_and(is_agreed);
        let tag = tagged.and_then(|tagged| session.sections[tagged].mid());
        let others = group.iter().flatten().copied().filter(|mid| is_used(mid) && Some(*mid) != tag);
        let bundle =
            if group.is_some() { tag.into_iter().chain(others).map(str::to_owned).collect() } else { Vec::new() };

        let transport = tagged.map(|tagged| Transport::of(&session, tagged)).transpose()?;
        let used: Vec<_> = session
            .sections
            .iter()
            .zip(&fates)
            .filter_map(|(section, fate)| Some((section, fate.as_ref().ok()?)))
            .collect();
        let for_crate = transport.as_ref().filter(|_| !used.is_empty());
        let for_crate = for_crate.map(|transport| for_crate::description(&session, transport, &used));
        let shares = |index: usize| {
            transport.as_ref().zip(tagged).is_none_or(|(transport, tagged)| transport.is_of(&session, index, tagged))
        };
        let sections = session.sections.iter().zip(&fates).enumerate().map(|(index, (section, fate))| Section {
            media: section.media.to_owned(),
            protocol: section.protocol.to_owned(),
            formats: section.formats.to_owned(),
            // A name that stands twice means the first.
            mid: section.mid().filter(|mid| session.position(mid) == Some(index)).map(str::to_owned),
            shares_transport: shares(index),
            fate: fate.as_ref().map_err(Clone::clone).map(|formats| Sent {
                track: formats.track,
                negotiated: extensions::negotiated(section, formats.payload_type, &used),
                reduced_size: section.lines.has("rtcp-rsize"),
                held: formats.held,
            }),
            idle: idle[index].take(),
        });
        let sections = sections.collect();
        let has_section = |index: usize| fates.iter().flatten().any(|formats| formats.track == index);
        let without = tracks.iter().enumerate().filter(|(index, _)| !has_section(*index));
        let lacking = without.filter_map(|(index, track)| Some((index, section::lacks_codec(&session, track)?)));
        let lacking = lacking.collect();
        Ok(Plan { sections, bundle, tagged: tagged.unwrap_or(0), transport, for_crate, lacking })
    }

    /// The same where `before` was agreed: the handshake of DTLS is over, and is not done again
    /// (RFC 8842, section 5.5).
    pub(crate) fn after(mut self, before: Option<&Plan>) -> Result<Plan> {
        if let (Some(transport), Some(before)) = (&mut self.transport, before.and_then(|plan| plan.transport.as_ref()))
        {
            transport.follow(before)?;
        }
        Ok(self)
    }

    /// The description as the crate gets it; `None` if no section is negotiated with it.
    pub(crate) fn for_crate(&self) -> Option<&str> {
        self.for_crate.as_deref()
    }

    /// The tracks that have a section, and its name, in the order of the sections. Not all are sent.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (usize, Option<&str>)> {
        self.sections.iter().filter_map(|section| Some((section.fate.as_ref().ok()?.track, section.mid.as_deref())))
    }

    /// The tracks that are sent, in the order of their sections, and how.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (usize, Negotiated)> {
        let sent = self.sections.iter().filter_map(|section| section.fate.as_ref().ok()).filter(|sent| !sent.held);
        sent.map(|sent| (sent.track, sent.negotiated))
    }

    /// The tracks whose codec the other side lacks, and what it has instead.
    pub(crate) fn lacking(&self) -> &[(usize, String)] {
        &self.lacking
    }

    /// In which sections nothing is sent, and why, in words.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = String> {
        (1..).zip(&self.sections).filter_map(|(number, section)| {
            let reason = match &section.fate {
                Ok(sent) => sent.held.then_some(HELD)?,
                Err(reason) => reason,
            };
            Some(in_words(number, &section.media, reason))
        })
    }

    /// The user fragment that the other side's ICE runs under.
    pub(crate) fn ufrag(&self) -> Option<&str> {
        Some(&self.transport.as_ref()?.ufrag)
    }

    /// Which side has to begin the handshake of DTLS: the value of `a=setup` in an answer.
    pub(crate) fn setup(&self) -> &'static str {
        match self.transport.as_ref().map(|transport| transport.role) {
            Some(Role::Active) => "active",
            Some(Role::Passive) | None => "passive",
        }
    }

    /// Our candidates are for this section: its name and its number.
    pub(crate) fn tagged(&self) -> (Option<&str>, u16) {
        let mid = self.sections.get(self.tagged).and_then(|section| section.mid.as_deref());
        (mid, u16::try_from(self.tagged).unwrap_or(0))
    }

    /// Whether a candidate of the section called `mid`, or else with the number `line`, is for the
    /// transport that is used.
    pub(crate) fn concerns(&self, mid: Option<&str>, line: Option<u16>) -> bool {
        let named = mid.and_then(|mid| self.sections.iter().find(|section| section.mid.as_deref() == Some(mid)));
        let section = named.or_else(|| self.sections.get(usize::from(line?)));
        section.is_none_or(|section| section.shares_transport)
    }
}

/// Nothing can be sent: why, section by section.
fn nothing(session: &Session, fates: &[Result<Formats, String>]) -> Error {
    /// More reasons are no more help.
    const SHOWN: usize = 8;
    let reasons = (1..).zip(&session.sections).zip(fates).take(SHOWN);
    let mut reasons: Vec<_> = reasons
        .filter_map(|((number, section), fate)| {
            let reason = match fate {
                Ok(formats) => formats.held.then_some(HELD)?,
                Err(reason) => reason,
            };
            Some(in_words(number, section.media, reason))
        })
        .collect();
    if fates.iter().flatten().any(|formats| !formats.held) {
        reasons.push("every section that could be used is `bundle-only`, and none has a port".to_owned());
    }
    let because = if reasons.is_empty() { "it has no media section".to_owned() } else { reasons.join("; ") };
    Error::config(format!("nothing can be sent to the other side: {because}"))
}

fn in_words(number: usize, media: &str, reason: &str) -> String {
    format!("section {number} ({}) {reason}", section::shortened(media))
}
