//! WHEP and the viewer page: a pipeline's picture and sound in any browser, over HTTP.
//!
//! [`register`] adds the stage type `page`. It opens one HTTP port with two things on it:
//!
//! | | |
//! |---|---|
//! | `GET /` | the page: a person opens it in a browser and watches the stream |
//! | `GET`, `HEAD /whep` | nothing but `Content-Type: application/sdp`: a player finds out that this is WHEP |
//! | `POST /whep` | [WHEP](https://datatracker.ietf.org/doc/draft-ietf-wish-whep/): a player offers to receive, and is answered |
//! | `PATCH /whep/<id>` | more of the player's candidates; an ICE restart, for one that changed its network |
//! | `DELETE /whep/<id>` | the player leaves |
//! | `PUT /whep/<id>/report` | what the player measures, as JSON, about every five seconds; it is answered with the time here |
//! | `GET /status` | how each viewer fares, as JSON: bit rate, loss, round trip, drops, and what its page measures |
//!
//! ```toml
//! [stage.page]
//! type = "page"
//! video = "vp8-rtp"
//! audio = "opus-rtp"
//! bind = "0.0.0.0:8443"
//! certificate = "tv.example.pem"
//! key = "tv.example.key"
//! ```
//!
//! # Who may watch
//! | bound to | who |
//! |---|---|
//! | loopback, unless told otherwise | everybody on this machine: the page, and players that are no web pages. Other web sites only if `origins` names them; a name that was made to point here is refused |
//! | loopback, with `origins = "*"` or a site over plain HTTP | who has the token, as below: a script of any site that a person here visits could ask, or of anybody who poses as that site |
//! | anything else | who has the token: `token`, or one that is made at each start. The link that is printed carries it behind its `#`, which browsers send to no server; the page asks for it where it is missing |
//! | anything, with `open-to-all = true` | every client that reaches the port |
//!
//! The page itself is always served: what is guarded is the stream and the status. Behind a proxy
//! that changes `Host`, name the public origin in `origins`. To a page on loopback, everybody whom a proxy
//! on this machine lets through is on this machine: let the proxy ask who they are, or set `token`. A token over plain HTTP is seen by whoever
//! is on the way: give a `certificate` and its `key`, read at the start, or use a proxy with TLS.
//!
//! # The status
//! `sessions` has an entry for each viewer, by a running number and never by its name, since whoever
//! knows that may end it. Times are in milliseconds, rates in bits per second over the last five
//! seconds; `tracks` is what was sent and what came back as receiver reports, `page` what the browser
//! itself saw.
//!
//! # What it does of WHEP
//! As in draft-ietf-wish-whep, the text after -03. `Location` is relative to the endpoint (`whep/<id>`), so that it holds
//! behind a proxy that takes a prefix off the path. 201 says that at least one section is sent; what
//! cannot be used is turned down alone, sound or pictures that are not there at all are agreed as `inactive`, and
//! the reason is logged.
//!
//! | | |
//! |---|---|
//! | an offer on which nothing can be sent | answers 422 with the reasons, section by section |
//! | counter-offers, which 406 stands for | ❌ never made: what is sent here is in one codec |
//! | trickle ICE, ICE restarts, entity tags, problem details (RFC 9457) | ✅ |
//! | bearer tokens, CORS, `Link: …; rel="ice-server"` | ✅ |
//! | an engine without ICE restarts | answers 422; the page opens a new session |
//! | the extensions: server-sent events, layers | ❌ optional, and there is one layer |
//! | WHIP | ❌ |

#![forbid(unsafe_code)]

pub mod page;

mod http;
mod random;
mod whep;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
#[cfg(test)]
#[path = "../tests/page/samples.rs"]
mod samples;

use millstream_core::Registry;
use millstream_webrtc::Engine;

/// Adds `page` to what `registry` knows; its viewers are peers of `engine`.
pub fn register(registry: &mut Registry, engine: &Engine) {
    registry.add(page::descriptor(engine));
}
