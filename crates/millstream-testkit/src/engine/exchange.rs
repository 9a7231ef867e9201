//! Offer and answer as an engine has to exchange them, section by section.

use std::net::SocketAddr;

use millstream_core::{Codec, Error, Result};
use millstream_webrtc::sdp::{Section, Session};
use millstream_webrtc::{Description, DescriptionKind, EventSender, LocalTrack, PeerEvent, SignalingState};

use super::written::{self, Accepted, Line, Transport};

/// The first dynamic payload type (RFC 3551, section 6).
const FIRST_PAYLOAD_TYPE: u8 = 96;

/// One side of the exchange.
pub(super) struct Exchange {
    codecs: Vec<Codec>,
    events: EventSender,
    /// Whether what the other side sends is accepted.
    receives: bool,
    transport: Transport,
    restarts: u32,
    pub(super) tracks: Vec<Sending>,
    state: SignalingState,
    local: Option<Description>,
    /// The sections of the session: those that were described, in order.
    sections: Vec<Place>,
    /// The sections as the other side's offer would make them.
    offered: Option<Vec<Place>>,
    remote: Option<Remote>,
    offered_remote: Option<Remote>,
    /// Something was agreed.
    agreed: bool,
}

/// A track, and what was agreed about it.
pub(super) struct Sending {
    pub(super) local: LocalTrack,
    pub(super) ssrc: u32,
    mid: Option<String>,
    settled: bool,
    /// It is sent, under this payload type.
    pub(super) payload_type: Option<u8>,
    /// It was told that the connection stands.
    pub(super) connected: bool,
}

impl Sending {
    fn is_ended(&self) -> bool {
        self.local.frames.is_ended()
    }
}

/// The other side's transport.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) ufrag: String,
    pub(super) address: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
struct Place {
    media: String,
    mid: String,
    track: Option<usize>,
    fate: Fate,
}

#[derive(Clone, Debug)]
enum Fate {
    /// It is negotiated with this codec under this payload type.
    Agreed { payload_type: u8, codec: Codec, sends: bool, receives: bool },
    /// It is turned down, for this reason.
    Rejected(String),
}

impl Exchange {
    /// The side called `name`, which is reached at `address`.
    pub(super) fn new(
        name: String,
        codecs: Vec<Codec>,
        events: EventSender,
        address: SocketAddr,
        receives: bool,
    ) -> Exchange {
        Exchange {
            codecs,
            events,
            receives,
            transport: Transport { ufrag: name, setup: "actpass", address },
            restarts: 0,
            tracks: Vec::new(),
            state: SignalingState::Stable,
            local: None,
            sections: Vec::new(),
            offered: None,
            remote: None,
            offered_remote: None,
            agreed: false,
        }
    }

    pub(super) fn add(&mut self, local: LocalTrack) {
        let ssrc = self.tracks.len() as u32 + 1;
        self.tracks.push(Sending { local, ssrc, mid: None, settled: false, payload_type: None, connected: false });
    }

    /// The ICE user fragments: ours, and the other side's once it is agreed.
    pub(super) fn ufrags(&self) -> Option<(&str, &Remote)> {
        Some((&self.transport.ufrag, self.remote.as_ref()?))
    }

    pub(super) fn local(&self) -> Option<Description> {
        self.local.clone()
    }

    pub(super) fn restart_ice(&mut self) -> Result<()> {
        if self.local.is_none() {
            return Err(Error::config("there is no connection to restart yet"));
        }
        self.restarts += 1;
        let base = self.transport.ufrag.split('+').next().unwrap_or_default().to_owned();
        self.transport.ufrag = format!("{base}+{}", self.restarts);
        Ok(())
    }

    pub(super) fn create_offer(&mut self) -> Description {
        self.transport.setup = "actpass";
        let mut lines: Vec<_> = self.sections.iter().map(|place| self.offer_of(place)).collect();
        for (index, track) in
            self.tracks.iter().enumerate().filter(|(_, track)| track.mid.is_none() && !track.is_ended())
        {
            let mid = lines.len().to_string();
            let place = Place {
                media: track.local.codec.media.to_string(),
                mid,
                track: Some(index),
                fate: Fate::Rejected(String::new()),
            };
            lines.push(self.offer_of(&place));
        }
        Description::offer(written::description(&self.transport, &lines))
    }

    fn offer_of(&self, place: &Place) -> Line {
        let track = place.track.map(|index| &self.tracks[index]).filter(|track| !track.is_ended());
        let codec = match (track, &place.fate) {
            (Some(track), _) => Some(track.local.codec.clone()),
            (None, Fate::Agreed { codec, .. }) => Some(codec.clone()),
            (None, Fate::Rejected(_)) => {
                self.codecs.iter().find(|codec| codec.media.to_string() == place.media).cloned()
            }
        };
        let receives = self.receives && track.is_none();
        let accepted = codec.map(|codec| Accepted {
            direction: direction(track.is_some(), receives),
            codecs: vec![(self.payload_type(&codec), codec)],
            source: track.map(source),
        });
        Line { media: place.media.clone(), mid: place.mid.clone(), accepted }
    }

    fn payload_type(&self, codec: &Codec) -> u8 {
        let index = self.codecs.iter().position(|known| known == codec).unwrap_or(0);
        FIRST_PAYLOAD_TYPE + 2 * index as u8
    }

    pub(super) fn create_answer(&mut self) -> Result<Description> {
        let offered =
            self.offered.as_ref().ok_or_else(|| Error::config("there is no offer to answer; set it first"))?;
        self.transport.setup = "passive";
        let line = |place: &Place| {
            let accepted = match &place.fate {
                Fate::Rejected(_) => None,
                Fate::Agreed { payload_type, codec, sends, receives } => Some(Accepted {
                    direction: direction(*sends, *receives),
                    codecs: vec![(*payload_type, codec.clone())],
                    source: place.track.filter(|_| *sends).map(|index| source(&self.tracks[index])),
                }),
            };
            Line { media: place.media.clone(), mid: place.mid.clone(), accepted }
        };
        let lines: Vec<_> = offered.iter().map(line).collect();
        Ok(Description::answer(written::description(&self.transport, &lines)))
    }

    pub(super) fn set_local(&mut self, description: Option<Description>) -> Result<()> {
        let description = match description {
            Some(description) => description,
            None if self.offered.is_some() => self.create_answer()?,
            None => self.create_offer(),
        };
        let state = self.next_state(description.kind, true)?;
        match description.kind {
            DescriptionKind::Rollback => {
                self.tracks.iter_mut().filter(|track| !track.settled).for_each(|track| track.mid = None);
                let known = |place: &Place| place.track.is_none_or(|index| self.tracks[index].mid.is_some());
                self.sections.retain(known);
                self.local = None;
            }
            DescriptionKind::Offer => {
                self.note_offered(&description.sdp)?;
                self.local = Some(description);
            }
            _ => {
                self.local = Some(description);
                if state == SignalingState::Stable {
                    let sections = self.offered.take().unwrap_or_default();
                    self.remote = self.offered_remote.take();
                    self.agree(sections);
                }
            }
        }
        self.set_state(state);
        Ok(())
    }

    /// Notes in which sections of `offer` our tracks are.
    fn note_offered(&mut self, offer: &str) -> Result<()> {
        let session = Session::read(offer)?;
        for section in &session.sections[self.sections.len().min(session.sections.len())..] {
            let mid = section.mid().unwrap_or_default().to_owned();
            let has = |track: &Sending| {
                section.lines.attributes("ssrc").any(|line| line.starts_with(&format!("{} ", track.ssrc)))
            };
            let track = self.tracks.iter().position(has);
            if let Some(track) = track {
                self.tracks[track].mid = Some(mid.clone());
            }
            let fate = Fate::Rejected(String::new());
            self.sections.push(Place { media: section.media.to_owned(), mid, track, fate });
        }
        Ok(())
    }

    pub(super) fn set_remote(&mut self, description: &Description) -> Result<()> {
        let state = self.next_state(description.kind, false)?;
        if description.kind == DescriptionKind::Rollback {
            (self.offered, self.offered_remote) = (None, None);
            self.set_state(state);
            return Ok(());
        }
        let session = Session::read(&description.sdp)?;
        if session.sections.is_empty() {
            return Err(Error::bad_item("the description has no media section; offer or answer at least one"));
        }
        let is_offer = description.kind == DescriptionKind::Offer;
        let remote = remote(&session);
        let sections = self.judge(&session);
        let usable = sections
            .iter()
            .any(|place| matches!(&place.fate, Fate::Agreed { sends, receives, .. } if *sends || *receives));
        if is_offer && !self.agreed && !usable {
            let reasons: Vec<_> = (1..)
                .zip(&sections)
                .map(|(number, place)| match &place.fate {
                    Fate::Rejected(reason) => format!("section {number} ({}) {reason}", place.media),
                    Fate::Agreed { .. } => format!("section {number} ({}) does not want to receive", place.media),
                })
                .collect();
            return Err(Error::config(format!("nothing can be sent to the other side: {}", reasons.join("; "))));
        }
        let accepted = sections.iter().any(|place| matches!(place.fate, Fate::Agreed { .. }));
        if accepted && remote.is_none() {
            return Err(Error::config(
                "the other side's description has no a=ice-ufrag, without which nothing is sent",
            ));
        }
        if remote.as_ref().is_some_and(|remote| !(4..=256).contains(&remote.ufrag.len())) {
            return Err(Error::bad_item(
                "a=ice-ufrag takes 4 to 256 letters, digits, `+` and `/` (RFC 8839, section 5.4)",
            ));
        }
        if is_offer {
            // Another user fragment is an ICE restart, which this side answers with one of its own (RFC 8445, section 9).
            if self.remote.as_ref().zip(remote.as_ref()).is_some_and(|(before, now)| before.ufrag != now.ufrag) {
                self.restart_ice()?;
            }
            (self.offered, self.offered_remote) = (Some(sections), remote);
        } else {
            self.remote = remote.or(self.remote.take());
            self.agree(sections);
        }
        self.set_state(state);
        Ok(())
    }

    /// What becomes of each section of the other side's description.
    fn judge(&self, session: &Session) -> Vec<Place> {
        let mut taken = Vec::new();
        let judge = |(index, section): (usize, &Section)| {
            let mid = section.mid().map_or_else(|| index.to_string(), str::to_owned);
            let (track, fate) = self.fate(session, section, &mid, &taken);
            taken.extend(track);
            Place { media: section.media.to_owned(), mid, track, fate }
        };
        session.sections.iter().enumerate().map(judge).collect()
    }

    fn fate(&self, session: &Session, section: &Section, mid: &str, taken: &[usize]) -> (Option<usize>, Fate) {
        let no = |reason: String| (None, Fate::Rejected(reason));
        if session.is_rejected(section) {
            return no("is turned down already, with port 0".to_owned());
        }
        let remote_sends = !section.lines.has("recvonly") && !section.lines.has("inactive");
        let receives = self.receives && remote_sends;
        let may = |index: &usize| {
            let track = &self.tracks[*index];
            let placed = track.mid.as_deref().is_none_or(|of| of == mid);
            !taken.contains(index) && placed && !track.is_ended() && section.is_for(&track.local.codec)
        };
        let tracks: Vec<_> = (0..self.tracks.len()).filter(may).collect();
        for index in &tracks {
            let codec = &self.tracks[*index].local.codec;
            if let Some(payload_type) = section.payload_types(codec).first().copied() {
                let sends = section.receives();
                return (Some(*index), Fate::Agreed { payload_type, codec: codec.clone(), sends, receives });
            }
        }
        let of_kind = self.codecs.iter().filter(|codec| section.is_for(codec));
        let known = of_kind.clone().find_map(|codec| Some((*section.payload_types(codec).first()?, codec.clone())));
        match known {
            Some((payload_type, codec)) if tracks.is_empty() => {
                (None, Fate::Agreed { payload_type, codec, sends: false, receives })
            }
            _ if of_kind.clone().next().is_none() => no("is of a kind that is not sent here".to_owned()),
            _ => {
                let wanted: Vec<_> = of_kind.map(|codec| codec.encoding.to_string()).collect();
                let there: Vec<_> = section.encodings().take(8).map(|(_, encoding)| encoding).collect();
                no(format!("has no {}; it has {}", wanted.join(" or "), there.join(", ")))
            }
        }
    }

    /// From now on what is sent is what `sections` say.
    fn agree(&mut self, sections: Vec<Place>) {
        self.agreed = true;
        for (index, track) in self.tracks.iter_mut().enumerate() {
            let place = sections.iter().find(|place| place.track == Some(index));
            let agreed = place.and_then(|place| match &place.fate {
                Fate::Agreed { payload_type, sends: true, .. } => Some(*payload_type),
                _ => None,
            });
            let lacking = sections.iter().find_map(|place| match &place.fate {
                Fate::Rejected(reason)
                    if reason.starts_with("has no")
                        && place.media == track.local.codec.media.to_string()
                        && track.mid.as_deref().is_none_or(|mid| mid == place.mid) =>
                {
                    Some(reason)
                }
                _ => None,
            });
            track.payload_type = agreed;
            match (place, lacking) {
                (None, Some(reason)) => track.local.feedback.failed(format!("the other side {reason}")),
                _ => track.local.feedback.accepted(),
            }
            if let Some(place) = place {
                track.mid = Some(place.mid.clone());
            }
            track.settled |= track.mid.is_some();
        }
        // A section keeps its track though it is turned down for now.
        let track_of = |mid: &str| self.tracks.iter().position(|track| track.mid.as_deref() == Some(mid));
        self.sections = sections
            .into_iter()
            .map(|place| Place { track: place.track.or_else(|| track_of(&place.mid)), ..place })
            .collect();
    }

    fn next_state(&self, kind: DescriptionKind, local: bool) -> Result<SignalingState> {
        self.state
            .after(kind, local)
            .ok_or_else(|| Error::config(format!("a {kind:?} does not fit the signalling state `{}`", self.state)))
    }

    fn set_state(&mut self, state: SignalingState) {
        if self.state != state {
            self.state = state;
            self.events.send(PeerEvent::Signaling(state));
        }
    }
}

fn source(track: &Sending) -> (u32, String, String) {
    (track.ssrc, track.local.stream.clone(), track.local.id.clone())
}

fn direction(sends: bool, receives: bool) -> &'static str {
    match (sends, receives) {
        (true, true) => "sendrecv",
        (true, false) => "sendonly",
        (false, true) => "recvonly",
        (false, false) => "inactive",
    }
}

fn remote(session: &Session) -> Option<Remote> {
    let accepted = session.sections.iter().find(|section| !session.is_rejected(section))?;
    let ufrag = session.attribute(accepted, "ice-ufrag")?.trim().to_owned();
    let candidate = session.sections.iter().find_map(|section| section.lines.attribute("candidate"));
    let address = candidate.and_then(address);
    Some(Remote { ufrag, address })
}

/// The address in a candidate: foundation, component, transport, priority, address, port (RFC 8839, section 5.1).
pub(super) fn address(candidate: &str) -> Option<SocketAddr> {
    let mut words = candidate.split_ascii_whitespace().skip(4);
    Some(SocketAddr::new(words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}
