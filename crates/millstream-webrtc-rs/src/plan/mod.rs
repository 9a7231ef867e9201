//! What is agreed with the other side: which section of its description carries which of our tracks.
//!
//! The `webrtc` crate is told of those sections alone, in the form that it understands. What it answers
//! is then put back into the form of the offer, with the other sections in their place: turned down, or agreed
//! though nothing is sent in them. So one section that cannot be used costs no other.

mod answer;
mod candidate;
mod extensions;
mod idle;
mod section;
#[cfg(test)]
mod tests;
mod told;
mod transport;

use millstream_core::{Codec, Error, Result};
use millstream_webrtc::sdp::Session;

use crate::track::Negotiated;

pub(crate) use answer::{named, without_rtcp_candidates};
pub(crate) use candidate::is_usable;
use idle::Idle;
use section::Formats;
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
    transport: Transport,
    /// The description as the crate is told of it.
    told: String,
}

/// A section of the other side's description.
#[derive(Debug)]
struct Section {
    media: String,
    protocol: String,
    formats: String,
    mid: Option<String>,
    /// Candidates that are told for it are for the transport that is used.
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
}

impl Plan {
    /// What can be agreed on the description `text`, for tracks of `codecs`.
    ///
    /// # Errors
    /// In words for the other side, if nothing can be sent.
    pub(crate) fn of(text: &str, codecs: &[Codec]) -> Result<Plan> {
        let session = Session::read(text)?;
        let (fates, group) = section::judge(&session, codecs);
        let mut idle = idle::agree(&session, &fates, group.as_deref(), codecs);
        let is_agreed = |index: usize| fates[index].is_ok() || idle[index].is_some();
        // The section to go by is the first of the group that is neither turned down nor moved out of it.
        // One in which nothing is sent costs no other if its transport is of no use.
        let is_whole = |index: usize| fates[index].is_ok() || Transport::of(&session, index).is_ok();
        let is_transport = |index: usize| is_agreed(index) && session.sections[index].port != "0" && is_whole(index);
        let named = |mid: &&str| session.sections.iter().position(|section| section.mid() == Some(mid));
        let tagged = match &group {
            Some(mids) => mids.iter().filter_map(named).find(|index| is_transport(*index)),
            None => fates.iter().position(Result::is_ok),
        };
        let Some(tagged) = tagged else { return Err(nothing(&session, &fates)) };
        let is_used = |mid: &&str| named(mid).is_some_and(is_agreed);
        let tag = session.sections[tagged].mid();
        let others = group.iter().flatten().copied().filter(|mid| is_used(mid) && Some(*mid) != tag);
        let bundle =
            if group.is_some() { tag.into_iter().chain(others).map(str::to_owned).collect() } else { Vec::new() };

        let transport = Transport::of(&session, tagged)?;
        let used: Vec<_> = session
            .sections
            .iter()
            .zip(&fates)
            .filter_map(|(section, fate)| Some((section, fate.as_ref().ok()?)))
            .collect();
        let told = told::description(&session, &transport, &used);
        let shares = |index: usize| transport.is_of(&session, index, tagged);
        let sections = session.sections.iter().zip(&fates).enumerate().map(|(index, (section, fate))| Section {
            media: section.media.to_owned(),
            protocol: section.protocol.to_owned(),
            formats: section.formats.to_owned(),
            // A name that stands twice means the first.
            mid: section.mid().filter(|mid| named(mid) == Some(index)).map(str::to_owned),
            shares_transport: shares(index),
            fate: fate.as_ref().map_err(Clone::clone).map(|formats| Sent {
                track: formats.track,
                negotiated: extensions::negotiated(section, formats.payload_type, &used),
                reduced_size: section.lines.has("rtcp-rsize"),
            }),
            idle: idle[index].take(),
        });
        let sections = sections.collect();
        Ok(Plan { sections, bundle, tagged, transport, told })
    }

    /// The same where `before` was agreed: the handshake of DTLS is over, and is not done again
    /// (RFC 8842, section 5.5).
    pub(crate) fn after(mut self, before: Option<&Plan>) -> Result<Plan> {
        if let Some(before) = before {
            self.transport.follow(&before.transport)?;
        }
        Ok(self)
    }

    /// The description as the crate is told of it.
    pub(crate) fn told(&self) -> &str {
        &self.told
    }

    /// The tracks that are sent, in the order of their sections, and how.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (usize, Negotiated)> {
        let sent = self.sections.iter().filter_map(|section| section.fate.as_ref().ok());
        sent.map(|sent| (sent.track, sent.negotiated))
    }

    /// In which sections nothing is sent, and why, in words.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = String> {
        (1..)
            .zip(&self.sections)
            .filter_map(|(number, section)| Some(in_words(number, &section.media, section.fate.as_ref().err()?)))
    }

    /// The user fragment that the other side's ICE runs under.
    pub(crate) fn ufrag(&self) -> &str {
        &self.transport.ufrag
    }

    /// Which side has to begin the handshake of DTLS: the value of `a=setup` in an answer.
    pub(crate) fn setup(&self) -> &'static str {
        match self.transport.role {
            Role::Active => "active",
            Role::Passive => "passive",
        }
    }

    /// Our candidates are for this section: its name and its number.
    pub(crate) fn tagged(&self) -> (Option<&str>, u16) {
        (self.sections[self.tagged].mid.as_deref(), u16::try_from(self.tagged).unwrap_or(0))
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
        .filter_map(|((number, section), fate)| Some(in_words(number, section.media, fate.as_ref().err()?)))
        .collect();
    if fates.iter().any(Result::is_ok) {
        reasons.push("every section that could be used is `bundle-only`, and none has a port".to_owned());
    }
    let because = if reasons.is_empty() { "it has no media section".to_owned() } else { reasons.join("; ") };
    Error::config(format!("nothing can be sent to the other side: {because}"))
}

fn in_words(number: usize, media: &str, reason: &str) -> String {
    format!("section {number} ({}) {reason}", section::shortened(media))
}
