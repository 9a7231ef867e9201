//! A viewer that stays, and whose frames are decoded for real.

use std::net::SocketAddr;
use std::time::Duration;

use crate::crowd::rest;
use crate::decoder::Decoder;
use crate::native::Viewer;
use crate::tally::{Kind, Tally};

/// Watches until it is ended; comes back if its connection ends, which is counted.
pub(crate) async fn watch(page: SocketAddr, tally: Tally, decode: bool) {
    let decoder = decode.then(|| Decoder::start(tally.clone()));
    loop {
        match Viewer::join_for(page, decoder.as_ref().map(Decoder::taker)).await {
            Ok(viewer) => {
                tally.joined(Kind::Steady, &viewer);
                while !viewer.sees_within(Duration::from_secs(3600), |log| log.ended.is_some()).await {}
                tally.note(|counts| counts.interrupted += 1);
            }
            Err(error) => {
                eprintln!("soak: a steady viewer is refused: {error}");
                tally.note(|counts| counts.refused += 1);
            }
        }
        rest(Duration::from_secs(1)).await;
    }
}
