//! What an engine can do, and the refusal of what it cannot.

use millstream_core::{Error, Result};

use crate::PeerOptions;

/// What an engine can do today. Whatever is `false` is refused by name, never ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Sends media.
    pub send: bool,
    /// Receives media.
    pub receive: bool,
    /// Carries data channels.
    pub data_channels: bool,
    /// Exchanges candidates after the descriptions (RFC 8838).
    pub trickle: bool,
    /// Moves a connection to other addresses while it runs, and makes one that has failed again.
    pub ice_restart: bool,
    /// Takes an offer back ([`Description::rollback`](crate::Description::rollback)).
    pub rollback: bool,
    /// Takes its sockets from [`PeerOptions::network`], and its time from [`PeerOptions::clock`].
    pub any_network: bool,
    /// Asks STUN servers (`stun:`) for its address.
    pub stun: bool,
    /// Relays through TURN over UDP.
    pub turn_udp: bool,
    /// Relays through TURN over TCP (`?transport=tcp`).
    pub turn_tcp: bool,
    /// Relays through TURN over TLS (`turns:`).
    pub turns: bool,
    /// Resolves candidates of the form `….local`.
    pub mdns: bool,
    /// Serves many peers from one UDP port.
    pub udp_mux: bool,
    /// Estimates the bandwidth by itself.
    pub bandwidth_estimation: bool,
}

impl Capabilities {
    /// Refuses what `options` ask for that the engine called `engine` cannot do.
    pub fn check(&self, engine: &str, options: &PeerOptions) -> Result<()> {
        if options.addresses.is_empty() {
            return Err(Error::config("no address to bind; give PeerOptions::addresses at least one"));
        }
        if options.codecs.is_empty() {
            return Err(Error::config("no codec to negotiate; give PeerOptions::codecs at least one"));
        }
        if !self.any_network && !options.network.is_system() {
            return Err(Error::config(format!(
                "the engine `{engine}` opens its own sockets; leave PeerOptions::network out, or use another engine"
            )));
        }
        options.ice_servers.iter().flat_map(|server| &server.urls).try_for_each(|url| self.check_url(engine, url))
    }

    /// Refuses the URL of an ICE server (RFC 7064, RFC 7065) that this cannot use.
    pub fn check_url(&self, engine: &str, url: &str) -> Result<()> {
        let lower = url.to_ascii_lowercase();
        let Some((scheme, rest)) = lower.split_once(':') else {
            return Err(Error::config(format!("`{url}` is no ICE server; write `stun:host:port` or `turn:host:port`")));
        };
        let tcp = rest.contains("transport=tcp");
        let (can, what) = match (scheme, tcp) {
            ("stun", _) => (self.stun, "STUN"),
            ("stuns", _) => (false, "STUN over TLS (`stuns:`)"),
            ("turn", false) => (self.turn_udp, "TURN over UDP"),
            ("turn", true) => (self.turn_tcp, "TURN over TCP"),
            ("turns", _) => (self.turns, "TURN over TLS (`turns:`)"),
            _ => {
                let message = format!("`{url}`: no ICE server scheme `{scheme}`; there are stun, turn and turns");
                return Err(Error::config(message));
            }
        };
        if can {
            return Ok(());
        }
        Err(Error::config(format!(
            "`{url}`: the engine `{engine}` has no {what}; leave the server out or use another engine"
        )))
    }

    /// Refuses `what` unless `can`, for the engine called `engine`.
    pub(crate) fn require(can: bool, engine: &str, what: &str) -> Result<()> {
        if can {
            Ok(())
        } else {
            Err(Error::config(format!("the engine `{engine}` cannot {what}; use another engine")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_lacks_is_refused_by_name() {
        let able = Capabilities { stun: true, turn_udp: true, ..Capabilities::default() };
        for good in ["stun:a:3478", "turn:a", "TURN:a?transport=udp"] {
            able.check_url("test", good).unwrap();
        }
        for (bad, words) in [
            ("turns:a", "no TURN over TLS (`turns:`)"),
            ("turn:a?transport=tcp", "no TURN over TCP"),
            ("stuns:a", "no STUN over TLS"),
            ("http:a", "no ICE server scheme `http`"),
            ("example", "no ICE server"),
        ] {
            let error = able.check_url("test", bad).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(bad), "{error}");
        }
    }
}
