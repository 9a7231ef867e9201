//! What can be chosen about the stages of G.711: next to nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of the encoders and decoders: there are none. Rate, channels and bit rate are fixed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoOptions {}

/// Options of `pcmu-packetizer` and `pcma-packetizer`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PacketizerOptions {
    /// Fixes the first sequence number and timestamp, so that two runs give the same packets.
    /// Random if not given, as RFC 3550 requires.
    pub seed: Option<u64>,
}
