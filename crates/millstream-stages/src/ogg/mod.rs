//! The container Ogg (RFC 3533), as far as one stream of Opus needs it (RFC 7845).

mod crc;
pub(crate) mod opus;
pub(crate) mod packets;
pub(crate) mod page;

/// The longest packet that is read or written: beyond, RFC 7845, section 3, has readers take it for damaged.
pub(crate) const MAX_PACKET: usize = 61_440;
