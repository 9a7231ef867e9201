//! WHEP and the viewer page: a pipeline's picture and sound in any browser, over HTTP.
//!
//! [`register`] adds the stage type `page`. It opens one HTTP port with two things on it:
//!
//! | | |
//! |---|---|
//! | `GET /` | the page: a person opens it and sees and hears the stream |
//! | `POST /whep` | [WHEP](https://datatracker.ietf.org/doc/draft-ietf-wish-whep/): a player offers to receive, and is answered |
//! | `PATCH`, `DELETE /whep/<id>` | more of the player's candidates; the player leaves |
//! | `GET /status` | how many viewers there are, as JSON |
//!
//! ```toml
//! [stage.page]
//! type = "page"
//! video = "vp8-rtp"
//! audio = "opus-rtp"
//! bind = "127.0.0.1:8080"
//! ```
//!
//! Whoever reaches the port may watch: there is no password and no TLS. It is bound to loopback
//! unless told otherwise; a reverse proxy adds both. Any web page that a browser on that machine
//! shows may watch as well, since WHEP players live on other origins and are let in (CORS).
//!
//! # What it cannot do yet
//! | | |
//! |---|---|
//! | trickle ICE, entity tags, problem details (RFC 9457) | ✅ |
//! | ICE restarts, server-sent events, layers | ❌ a viewer that changes its network opens a new session |
//! | WHIP | ❌ |

#![forbid(unsafe_code)]

pub mod page;

mod connections;
mod problem;
mod server;
mod whep;

#[cfg(any(test, fuzzing))]
#[path = "../tests/page/fake.rs"]
mod fake;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;

use millstream_core::Registry;
use millstream_webrtc::Engine;

/// Adds `page` to what `registry` knows; its viewers are peers of `engine`.
pub fn register(registry: &mut Registry, engine: &Engine) {
    registry.add(page::descriptor(engine));
}
