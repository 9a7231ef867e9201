//! The stage type `page`: a bundle whose ends are shown to everybody who opens its address.

mod http;
mod options;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use millstream_core::descriptor::{Descriptor, Joined};
use millstream_core::{Accepts, Bundle, Codec, Cx, Error, Format, Media, Result, RtpPackets, Sink, Worker};
use millstream_webrtc::{Audience, AudienceSink, Engine};

use crate::server::{self, Server};
use crate::whep::{Endpoint, Stream};

pub use options::{Bind, MaxViewers, Options, Path};

/// The stage type `page`, whose viewers are peers of `engine`.
pub fn descriptor(engine: &Engine) -> Descriptor {
    let engine = engine.clone();
    Descriptor::bundle("page", "Shows video and audio to everybody who opens a web page, and to WHEP players")
        .optional_input("video", Accepts::Packets(Media::Video))
        .optional_input("audio", Accepts::Packets(Media::Audio))
        .light()
        .build(move |options: Options, joined| open(options, &engine, joined))
}

/// Opens the port, serves the page, and gives a bundle of the ends that were joined.
///
/// The port is free again once all of them are finished or dropped; viewers are told.
///
/// # Errors
/// If the port cannot be had, nothing was joined, or the engine cannot send.
pub fn open(options: Options, engine: &Engine, joined: &mut Joined<'_>) -> Result<Worker> {
    if !engine.capabilities().send {
        return Err(Error::config(format!("the engine `{}` cannot send media; use another engine", engine.name())));
    }
    let name = joined.name().to_owned();
    let video = codec(joined, "video");
    let audio = codec(joined, "audio");
    let codecs: Vec<Codec> = video.into_iter().chain(audio).collect();
    if codecs.is_empty() {
        return Err(Error::config("there is nothing to show; give it `video = …` or `audio = …`"));
    }
    let listener = server::bind(options.bind.address(), &name)?;
    let address = listener.local_addr().map_err(|error| Error::fatal("the page's port is gone").caused_by(error))?;

    let audience = Audience::new(joined.clock().clone());
    let video = video.map(|codec| audience.video_sink(codec)).transpose()?;
    let audio = audio.map(|codec| audience.audio_sink(codec)).transpose()?;
    let endpoint = Endpoint::new(Stream {
        engine: engine.clone(),
        audience,
        clock: joined.clock().clone(),
        codecs,
        addresses: peer_addresses(address.ip()),
        base: options.path.base().to_owned(),
        max_viewers: options.max_viewers.get(),
    });
    let closing = Arc::clone(&endpoint);
    let server = Server::start(&name, listener, http::routes(endpoint), async move { closing.close().await })?;
    let server = Arc::new(server);
    joined.notice(format!("http://{}{}/", to_open(address), options.path.base()));

    let mut bundle = Bundle::new();
    for (key, sink) in [("video", video), ("audio", audio)] {
        if let Some(sink) = sink {
            bundle = bundle.sink(key, End { sink, server: Some(Arc::clone(&server)) });
        }
    }
    Ok(Worker::Bundle(bundle))
}

fn codec(joined: &Joined<'_>, key: &str) -> Option<Codec> {
    match joined.input(key) {
        Some(Format::Packets(codec)) => Some(codec),
        _ => None,
    }
}

/// Where peers bind: where the page does, so that nothing is reachable that was not said. `[::]`
/// takes IPv4 as well, as its HTTP port does.
fn peer_addresses(page: IpAddr) -> Vec<IpAddr> {
    match page {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => vec![page, Ipv4Addr::UNSPECIFIED.into()],
        _ => vec![page],
    }
}

/// The address a person opens on this machine.
fn to_open(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// An end of the page. The last one to finish or drop ends the server.
struct End {
    sink: AudienceSink,
    server: Option<Arc<Server>>,
}

impl Sink<RtpPackets> for End {
    fn consume(&mut self, packets: RtpPackets, cx: &mut Cx) -> Result<()> {
        self.sink.consume(packets, cx)
    }

    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        self.sink.wake(cx)
    }

    fn finish(&mut self, cx: &mut Cx) -> Result<()> {
        let finished = self.sink.finish(cx);
        self.server = None;
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_bind_where_the_page_does_and_a_person_opens_what_answers() {
        for (page, peers, opened) in [
            ("127.0.0.1:80", vec!["127.0.0.1"], "127.0.0.1:80"),
            ("192.0.2.7:80", vec!["192.0.2.7"], "192.0.2.7:80"),
            ("0.0.0.0:80", vec!["0.0.0.0"], "127.0.0.1:80"),
            ("[::]:80", vec!["::", "0.0.0.0"], "[::1]:80"),
        ] {
            let page: SocketAddr = page.parse().unwrap();
            let peers: Vec<IpAddr> = peers.into_iter().map(|ip| ip.parse().unwrap()).collect();
            assert_eq!(peer_addresses(page.ip()), peers);
            assert_eq!(to_open(page).to_string(), opened);
        }
    }
}
