//! What a WebRTC engine must do.

mod remote;
mod stand;

use std::time::Duration;

use millstream_core::{Codec, Hand, OPUS, VP8};
use millstream_webrtc::sdp::Session;
use millstream_webrtc::{Description, Driver, Engine, Peer, PeerEvent, PeerOptions, PeerState, SignalingState};

use super::rule::{Seen, ensure, must};
use remote::{Place, answer, offer};
use stand::Stand;

/// An engine to be tested, and what it runs on.
pub struct EngineUnderTest {
    engine: Engine,
    options: PeerOptions,
    virtual_time: Option<(Hand, Vec<Driver>)>,
    transport: bool,
}

impl EngineUnderTest {
    /// `engine`, whose peers are opened with `options`. It runs in real time.
    pub fn new(engine: Engine, options: PeerOptions) -> EngineUnderTest {
        EngineUnderTest { engine, options, virtual_time: None, transport: true }
    }

    /// The same in virtual time: `hand` moves the clock of the options, and `network` is the driver of their network.
    #[must_use]
    pub fn in_virtual_time(mut self, hand: Hand, network: Driver) -> EngineUnderTest {
        self.virtual_time = Some((hand, vec![network]));
        self
    }

    /// The same if the engine has no transport of its own, so that its connections neither stand nor fail.
    #[must_use]
    pub fn without_transport(mut self) -> EngineUnderTest {
        self.transport = false;
        self
    }
}

/// Says that an engine does what an engine must; `make` gives a new one for each requirement.
///
/// The remote side is made of text alone: whether media flows is for each engine's own tests.
///
/// # Panics
/// If the engine does not do something of it.
#[track_caller]
pub fn engine(make: impl Fn() -> EngineUnderTest) {
    let stand = || Stand::new(make());
    must("a new peer is new, and no offer is pending", || new_peer(stand()));
    must("commands are executed in order, whether or not their replies are awaited", || in_order(stand()));
    must("an offer has a section for each track, with its codec", || offers(stand()));
    must("an answer is in the form of the offer, and sends what was wanted", || answers(stand()));
    must("a section that cannot be used is turned down alone, and its track fails alone, by name", || {
        one_refused(stand())
    });
    must("an answer may turn down or hold a section, or all of them", || {
        for places in [
            [Place::Accepted, Place::Rejected],
            [Place::Accepted, Place::Inactive],
            [Place::Rejected, Place::Accepted],
            [Place::Inactive, Place::Inactive],
            [Place::Rejected, Place::Rejected],
        ] {
            answered(stand(), places).map_err(|seen| format!("{seen}, answered {places:?}"))?;
        }
        Ok(())
    });
    must("a later offer may hold a section, or all of them, and let them go on", || held(stand()));
    must("a track whose codec an answer lacks fails alone, by name", || codec_lacking(stand()));
    must("a track that was stopped leaves the description, and the others stay", || stopped(stand()));
    must("an offer can be taken back, or the engine says that it cannot", || rollback(stand()));
    must("a description that does not fit the signalling state is refused, and changes nothing", || unfitting(stand()));
    must("what is no description is refused in words, and the peer lives", || garbage(stand()));
    must("an offer on which nothing can be sent is refused with the reasons, and the peer lives", || unusable(stand()));
    must("a command that the engine does not know is refused with its name and the engine's", || unknown(stand()));
    must("closing is final, frees the tracks, and is no error the second time", || closed(stand()));
    must("a connection that does not come about fails in time, and is not over", || fails_in_time(stand()));
}

const BOTH: [Codec; 2] = [VP8, OPUS];

fn new_peer(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let states = (peer.state().get(), peer.signaling_state().get());
    ensure(states == (PeerState::New, SignalingState::Stable), || format!("{states:?}"))?;
    ensure(peer.take_driver().is_none(), || "a second driver".to_owned())?;
    let local = stand.wait(peer.local_description())?;
    ensure(local.is_none(), || format!("the local description {local:?}"))
}

fn in_order(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    drop(peer.set_remote_description(offer(&BOTH)));
    drop(peer.set_local_description(None));
    let local = stand.wait(peer.local_description())?;
    let kind = local.map(|description| description.kind);
    ensure(kind == Some(Description::answer("").kind), || format!("a local description of {kind:?}"))?;
    let signaling = peer.signaling_state().get();
    ensure(signaling == SignalingState::Stable, || format!("the state `{signaling}`"))
}

fn offers(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    let made = stand.wait(peer.create_offer())?;
    stand.set_local(&peer, Some(made))?;
    let signaling = peer.signaling_state().get();
    ensure(signaling == SignalingState::HaveLocalOffer, || format!("the state `{signaling}`"))?;
    let gathered = stand.wait(peer.gathered())?.sdp;
    let session = read(&gathered)?;
    ensure(session.sections.len() == 2, || gathered.clone())?;
    for (section, codec) in session.sections.iter().zip(&BOTH) {
        let is_good = section.is_for(codec)
            && !section.payload_types(codec).is_empty()
            && section.mid().is_some()
            && (section.lines.has("sendonly") || section.lines.has("sendrecv"))
            && session.attribute(section, "ice-ufrag").is_some()
            && session.attribute(section, "ice-pwd").is_some()
            && session.attribute(section, "fingerprint").is_some()
            && session.attribute(section, "setup") == Some("actpass");
        ensure(is_good, || format!("the section {section:?} for {codec}"))?;
    }
    ensure(session.sections.iter().any(|section| section.lines.has("candidate")), || {
        format!("no candidate in {gathered}")
    })
}

fn answers(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    stand.set_remote(&peer, offer(&BOTH))?;
    let signaling = peer.signaling_state().get();
    ensure(signaling == SignalingState::HaveRemoteOffer, || format!("the state `{signaling}`"))?;
    stand.set_local(&peer, None)?;
    let made = stand.wait(peer.gathered())?.sdp;
    directions(&made, [Some("sendonly"), Some("sendonly")])?;
    let session = read(&made)?;
    let same = session.sections.iter().zip(&BOTH).all(|(section, codec)| section.is_for(codec));
    let mids: Vec<_> = session.sections.iter().map(|section| section.mid()).collect();
    ensure(same && mids == [Some("0"), Some("1")], || made.clone())
}

fn one_refused(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let mut events = peer.take_events().ok_or("no events")?;
    let tracks = stand.tracks(&peer, &BOTH)?;
    let mut refused = offer(&BOTH);
    refused.sdp = refused.sdp.replace("opus/48000/2", "L16/8000");
    stand.set_remote(&peer, refused)?;
    stand.set_local(&peer, None)?;
    let made = stand.wait(peer.gathered())?.sdp;
    let session = read(&made)?;
    let sound = &session.sections[1];
    ensure(session.is_rejected(sound) || sound.lines.has("inactive"), || made.clone())?;
    ensure(session.sections[0].lines.has("sendonly"), || made.clone())?;
    failed_alone(&tracks, 1, "opus", &mut events)?;
    // With the next offer that has the codec it goes on.
    stand.set_remote(&peer, offer(&BOTH))?;
    stand.set_local(&peer, None)?;
    let failure = tracks[1].1.failure();
    ensure(failure.is_none(), || format!("the failure `{failure:?}` after an offer with the codec"))
}

/// Says that the track with the number `failed` has, for a reason that holds `words`, and no other.
fn failed_alone(tracks: &[stand::Added], failed: usize, words: &str, events: &mut millstream_webrtc::Events) -> Seen {
    let reported: Vec<_> = std::iter::from_fn(|| events.try_recv())
        .filter_map(|event| match event {
            PeerEvent::TrackFailed { track, reason } => Some((track, reason)),
            _ => None,
        })
        .collect();
    let [(track, reason)] = &reported[..] else { return Err(format!("the failures {reported:?}")) };
    ensure(*track == tracks[failed].1.id() && reason.contains(words), || format!("{track} failed for `{reason}`"))?;
    for (number, (sink, sender)) in tracks.iter().enumerate() {
        let seen = sender.failure();
        ensure(seen.is_some() == (number == failed), || format!("the failure {seen:?} of {}", sender.id()))?;
        let sent = sink.send(&crate::examples::packets(sender.codec(), 0));
        ensure(sent.is_err() == (number == failed), || format!("{sent:?} of a frame for {}", sender.id()))?;
    }
    Ok(())
}

fn answered(mut stand: Stand, places: [Place; 2]) -> Seen {
    let peer = stand.peer()?;
    let tracks = stand.tracks(&peer, &BOTH)?;
    stand.set_local(&peer, None)?;
    let made = stand.wait(peer.gathered())?.sdp;
    stand.set_remote(&peer, answer(&made, &places)?)?;
    let signaling = peer.signaling_state().get();
    ensure(signaling == SignalingState::Stable, || format!("the state `{signaling}`"))?;
    for (sink, sender) in &tracks {
        let failure = sender.failure();
        ensure(failure.is_none() && !sender.is_ended(), || format!("the failure {failure:?} of {}", sender.id()))?;
        sink.send(&crate::examples::packets(sender.codec(), 0)).map_err(|error| error.to_string())?;
    }
    // The next exchange begins where this one ended.
    let again = stand.wait(peer.create_offer())?.sdp;
    ensure(read(&again)?.sections.len() >= 2, || again.clone())
}

fn held(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    let both = offer(&BOTH);
    for (edit, expected) in [
        (None, [Some("sendonly"), Some("sendonly")]),
        (Some(1), [Some("inactive"), Some("sendonly")]),
        (Some(2), [Some("inactive"), Some("inactive")]),
        (None, [Some("sendonly"), Some("sendonly")]),
    ] {
        let mut changed = both.clone();
        if let Some(count) = edit {
            changed.sdp = changed.sdp.replacen("a=recvonly", "a=inactive", count);
        }
        stand.set_remote(&peer, changed)?;
        stand.set_local(&peer, None)?;
        let made = stand.wait(peer.local_description())?.ok_or("no local description")?.sdp;
        directions(&made, expected).map_err(|seen| format!("{seen}, with {edit:?} held"))?;
    }
    Ok(())
}

fn codec_lacking(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let mut events = peer.take_events().ok_or("no events")?;
    let tracks = stand.tracks(&peer, &BOTH)?;
    stand.set_local(&peer, None)?;
    let made = stand.wait(peer.gathered())?.sdp;
    let mut without = answer(&made, &[Place::Accepted, Place::Accepted])?;
    without.sdp = without.sdp.replace("opus/48000/2", "L16/8000");
    stand.set_remote(&peer, without)?;
    failed_alone(&tracks, 1, "opus", &mut events)
}

fn stopped(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let tracks = stand.tracks(&peer, &BOTH)?;
    stand.set_local(&peer, None)?;
    let made = stand.wait(peer.gathered())?.sdp;
    stand.set_remote(&peer, answer(&made, &[Place::Accepted, Place::Accepted])?)?;
    tracks[0].1.stop();
    let again = stand.wait(peer.create_offer())?.sdp;
    let session = read(&again)?;
    let [pictures, sound] = &session.sections[..] else { return Err(again) };
    ensure(!pictures.lines.has("ssrc") && !pictures.lines.has("sendonly"), || format!("{pictures:?} after its end"))?;
    ensure(sound.lines.has("sendonly") || sound.lines.has("sendrecv"), || format!("{sound:?} after another's end"))
}

fn rollback(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    stand.set_local(&peer, None)?;
    let taken_back = stand.wait(peer.set_local_description(Some(Description::rollback())));
    if !peer.engine().capabilities().rollback {
        let seen = taken_back.err().unwrap_or_else(|| "no error".to_owned());
        return ensure(seen.contains(&format!("`{}`", peer.engine().name())), || seen.clone());
    }
    taken_back?;
    let stable = |peer: &Peer| {
        let signaling = peer.signaling_state().get();
        ensure(signaling == SignalingState::Stable, || format!("the state `{signaling}`"))
    };
    stable(&peer)?;
    // The other side's offer, taken back and made again.
    stand.set_remote(&peer, offer(&BOTH))?;
    stand.set_remote(&peer, Description::rollback())?;
    stable(&peer)?;
    stand.set_remote(&peer, offer(&BOTH))?;
    stand.set_local(&peer, None)?;
    stable(&peer)?;
    let made = stand.wait(peer.gathered())?.sdp;
    directions(&made, [Some("sendonly"), Some("sendonly")])
}

fn unfitting(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    let offered = offer(&BOTH).sdp;
    let refused = stand.wait(peer.set_remote_description(Description::answer(offered.clone())));
    ensure(refused.as_ref().is_err_and(|error| error.contains("stable")), || format!("{refused:?}"))?;
    stand.set_local(&peer, None)?;
    let refused = stand.wait(peer.set_remote_description(Description::offer(offered)));
    ensure(refused.as_ref().is_err_and(|error| error.contains("have-local-offer")), || format!("{refused:?}"))?;
    let signaling = peer.signaling_state().get();
    ensure(signaling == SignalingState::HaveLocalOffer, || format!("the state `{signaling}`"))
}

fn garbage(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    for text in ["", "v=0", "hello\r\nm=video", "v=0\r\nm=video 9", "\u{1F600}\nm=\nm=video", "v=0\rm=video 9 X 0"] {
        let refused = stand.wait(peer.set_remote_description(Description::offer(text)));
        ensure(refused.as_ref().is_err_and(|error| error.len() > 20), || format!("{refused:?} to {text:?}"))?;
    }
    stand.set_remote(&peer, offer(&BOTH))
}

fn unusable(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let _tracks = stand.tracks(&peer, &[VP8])?;
    let mut without = offer(&[VP8]);
    without.sdp = without.sdp.replace("VP8/90000", "H264/90000");
    let refused = stand.wait(peer.set_remote_description(without));
    ensure(refused.as_ref().is_err_and(|error| error.contains("VP8")), || format!("{refused:?}"))?;
    stand.set_remote(&peer, offer(&[VP8]))
}

fn unknown(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let refused = stand.wait(peer.unknown());
    let names = format!("`{}` does not support `Unknown`", peer.engine().name());
    ensure(refused.as_ref().is_err_and(|error| error.contains(&names)), || format!("{refused:?}"))?;
    stand.wait(peer.local_description()).map(drop)
}

fn closed(mut stand: Stand) -> Seen {
    let peer = stand.peer()?;
    let mut events = peer.take_events().ok_or("no events")?;
    let tracks = stand.tracks(&peer, &BOTH)?;
    stand.set_local(&peer, None)?;
    stand.wait(peer.close())?;
    let states = (peer.state().get(), peer.signaling_state().get());
    ensure(states == (PeerState::Closed, SignalingState::Closed), || format!("{states:?}"))?;
    let last: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
    let ends = last.ends_with(&[PeerEvent::State(PeerState::Closed), PeerEvent::Closed]);
    ensure(ends && events.recv().is_none(), || format!("the events {last:?}"))?;
    for (sink, sender) in &tracks {
        let sent = sink.send(&crate::examples::packets(sender.codec(), 0));
        ensure(sent.is_err() && sender.is_ended(), || format!("{sent:?} of a frame for {}", sender.id()))?;
    }
    let refused = stand.wait(peer.create_offer());
    ensure(refused.as_ref().is_err_and(|error| error.contains("closed")), || format!("{refused:?}"))?;
    stand.wait(peer.close())
}

fn fails_in_time(mut stand: Stand) -> Seen {
    if !stand.has_transport() {
        return Ok(());
    }
    let connect = Duration::from_millis(400);
    let peer = stand.peer_that_gives_up_after(connect)?;
    let _tracks = stand.tracks(&peer, &BOTH)?;
    stand.set_remote(&peer, offer(&BOTH))?;
    stand.set_local(&peer, None)?;
    let from = stand.now();
    stand.until(&peer, PeerState::Failed)?;
    let took = stand.now().since(from);
    ensure(took >= connect && took < Duration::from_secs(3), || format!("{took:?} until it failed"))?;
    // An ICE restart by the other side would connect it.
    let mut again = offer(&BOTH);
    again.sdp = again.sdp.replace("a=ice-ufrag:view", "a=ice-ufrag:anew");
    stand.set_remote(&peer, again)?;
    stand.set_local(&peer, None)?;
    stand.wait(peer.close())
}

fn read(text: &str) -> Result<Session<'_>, String> {
    Session::read(text).map_err(|error| format!("{error} in {text}"))
}

/// Says that the sections of `text` have these directions; `None` for one that is turned down.
fn directions(text: &str, expected: [Option<&str>; 2]) -> Seen {
    let session = read(text)?;
    let of = |section| {
        let names = ["sendrecv", "sendonly", "recvonly", "inactive"];
        let direction =
            |section: &millstream_webrtc::sdp::Section| names.into_iter().find(|name| section.lines.has(name));
        (!session.is_rejected(section)).then(|| direction(section)).flatten()
    };
    let seen: Vec<_> = session.sections.iter().map(of).collect();
    ensure(seen == expected, || format!("the directions {seen:?} in {text}"))
}
