//! The stage type `page`: a bundle whose ends are shown on a web page.

mod ice_server;
mod options;
pub(crate) mod routes;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use millstream_core::descriptor::{Descriptor, Joined};
use millstream_core::{Accepts, Bundle, Clock, Codec, Cx, Error, Media, Result, RtpPackets, Sink, Worker};
use millstream_webrtc::{Audience, AudienceSink, Engine};
use tokio_rustls::TlsAcceptor;

use crate::http::access::Access;
use crate::http::server::{self, Server};
use crate::http::tls;
use crate::whep::{Endpoint, Stream};

pub use crate::http::access::{Origins, Token};
pub use ice_server::IceServerOption;
pub use options::{Adapt, Bind, MaxViewers, Options, Path};

/// The stage type `page`, whose viewers are peers of `engine`.
pub fn descriptor(engine: &Engine) -> Descriptor {
    let engine = engine.clone();
    Descriptor::bundle("page", "Shows video and audio on a web page, and to WHEP players")
        .optional_input("video", Accepts::Packets(Media::Video))
        .optional_input("audio", Accepts::Packets(Media::Audio))
        .light()
        .knowing(Options::known, move |options, joined| build(options, &engine, joined))
}

fn build(options: Options, engine: &Engine, joined: &mut Joined<'_>) -> Result<Worker> {
    let codecs: Vec<Codec> = ["video", "audio"].iter().filter_map(|key| joined.input(key)?.codec().cloned()).collect();
    let page = Page::open(joined.name(), options, engine, joined.clock(), &codecs)?;
    joined.notice(page.address());
    let mut bundle = Bundle::new();
    for (key, media) in [("video", Media::Video), ("audio", Media::Audio)] {
        if let Some(end) = page.end(media) {
            bundle = bundle.sink(key, end);
        }
    }
    Ok(Worker::Bundle(bundle))
}

/// An open page: its port is bound and it is served, and its ends wait to be joined.
///
/// The port is free again once the page and its ends are dropped or finished, and its viewers' connections are closed.
pub struct Page {
    address: String,
    audience: Audience,
    codecs: Vec<Codec>,
    server: Arc<Server>,
}

impl Page {
    /// Opens the port and serves a page of one stream with a track for each of `codecs`, at most one
    /// for pictures and one for sound. Its thread and its errors call it `name`.
    ///
    /// # Errors
    /// If the port cannot be had, if the options contradict each other or the certificate will not
    /// do, if there is no codec or two of one kind, or if the engine cannot do what is asked.
    pub fn open(name: &str, options: Options, engine: &Engine, clock: &Clock, codecs: &[Codec]) -> Result<Page> {
        if !engine.capabilities().send {
            return Err(Error::config(format!("the engine `{}` cannot send media; use another engine", engine.name())));
        }
        if codecs.is_empty() {
            return Err(Error::config("there is nothing to show; give it `video = …` or `audio = …`"));
        }
        if codecs.len() == 2 && codecs[0].media == codecs[1].media || codecs.len() > 2 {
            return Err(Error::config("a page shows at most one stream of pictures and one of sound"));
        }
        for server in &options.ice_servers {
            engine.capabilities().check_url(engine.name(), server.url())?;
        }
        let (access, tls) = (access(&options)?, tls(&options)?);
        let listener = server::bind(options.bind.address(), name)?;
        let bound = listener.local_addr().map_err(|error| Error::fatal("the page's port is gone").caused_by(error))?;
        let audience = Audience::with_policy(clock.clone(), options.adapt.into());
        let endpoint = Endpoint::new(Stream {
            engine: engine.clone(),
            audience: audience.clone(),
            clock: clock.clone(),
            addresses: peer_addresses(bound.ip()),
            ice_servers: options.ice_servers,
            base: options.path.base().to_owned(),
            max_viewers: options.max_viewers.get(),
        });
        let closing = Arc::clone(&endpoint);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let token = access.token.as_ref().map(|token| format!("#token={}", token.secret())).unwrap_or_default();
        let address = format!("{scheme}://{}{}/{token}", to_open(bound), options.path.base());
        let routes = routes::routes(endpoint, access);
        let server = Server::start(name, listener, tls, routes, async move { closing.close().await })?;
        Ok(Page { address, audience, codecs: codecs.to_vec(), server: Arc::new(server) })
    }

    /// The address that a person opens on this machine. Where viewers need a token it is in it,
    /// behind the `#`: browsers keep that part to themselves.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Who watches.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The end that takes the pictures; `None` where there are none, or it was taken.
    pub fn video(&self) -> Option<impl Sink<RtpPackets> + use<>> {
        self.end(Media::Video)
    }

    /// The end that takes the sound; `None` where there is none, or it was taken.
    pub fn audio(&self) -> Option<impl Sink<RtpPackets> + use<>> {
        self.end(Media::Audio)
    }

    fn end(&self, media: Media) -> Option<End> {
        let codec = self.codecs.iter().find(|codec| codec.media == media)?.clone();
        let sink = match media {
            Media::Video => self.audience.video_sink(codec),
            Media::Audio => self.audience.audio_sink(codec),
        };
        Some(End { sink: sink.ok()?, server: Some(Arc::clone(&self.server)) })
    }
}

/// Who may watch, by `options`.
fn access(options: &Options) -> Result<Access> {
    let local = options.bind.address().ip().is_loopback();
    // The scripts of a site run on this machine too, in the browser of a person who visits it. So admitting every
    // site, or one that can be impersonated, admits more than the people at this machine.
    let known = local && options.origins.prove_themselves();
    let token = match &options.token {
        Some(_) if options.open_to_all => {
            return Err(Error::config("`token` and `open-to-all` contradict each other; leave one of them out"));
        }
        Some(token) => Some(token.clone()),
        None if known || options.open_to_all => None,
        None => Some(Token::random()),
    };
    Ok(Access { token, origins: options.origins.clone(), local })
}

/// How TLS is spoken, by `options`.
fn tls(options: &Options) -> Result<Option<TlsAcceptor>> {
    match (&options.certificate, &options.key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => tls::acceptor(certificate, key).map(Some),
        (Some(_), None) => Err(Error::config("a certificate needs its private key; give `key = …` as well")),
        (None, Some(_)) => Err(Error::config("a private key needs its certificate; give `certificate = …` as well")),
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

    fn takes(&self) -> Option<Codec> {
        self.sink.takes()
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
