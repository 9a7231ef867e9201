//! Viewers that behave badly: one that is slow, and one that floods.

use std::net::SocketAddr;
use std::time::Duration;

use millstream_testkit::Chance;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};

use crate::crowd::rest;
use crate::native::{Command, Viewer, http};
use crate::tally::{Kind, Tally};

/// A viewer that stops for seconds at a time, and now and then for so long that it is given up.
pub(crate) async fn stall(page: SocketAddr, tally: Tally, seed: u64) {
    let mut chance = Chance::new(seed ^ 0x51);
    loop {
        let viewer = join(page, &tally).await;
        while viewer.log(|log| log.ended.is_none()) {
            rest(Duration::from_secs_f64(3.0 + 9.0 * chance.share())).await;
            let long = chance.share() < 0.1;
            let stop = if long { 20.0 } else { 1.0 + 4.0 * chance.share() };
            viewer.tell(Command::Stall(Duration::from_secs_f64(stop)));
            rest(Duration::from_secs_f64(stop)).await;
            if long {
                // It was given up meanwhile; whether it notices or not, it comes anew.
                break;
            }
        }
        tally.note(|counts| counts.vanished += 1);
    }
}

/// Joins, however often it takes.
async fn join(page: SocketAddr, tally: &Tally) -> Viewer {
    loop {
        if let Ok(viewer) = Viewer::join(page).await {
            tally.joined(Kind::Other, &viewer);
            return viewer;
        }
        tally.note(|counts| counts.refused += 1);
        rest(Duration::from_secs(1)).await;
    }
}

/// A viewer that floods: wishes for key frames, datagrams of garbage on its own connection and from
/// a stranger, and requests that are none.
pub(crate) async fn flood(page: SocketAddr, tally: Tally, seed: u64) {
    let mut chance = Chance::new(seed ^ 0xf1);
    loop {
        let viewer = join(page, &tally).await;
        viewer.sees(|log| log.frames > 0 || log.ended.is_some()).await;
        for _ in 0..10 {
            for _ in 0..100 {
                viewer.pli();
                rest(Duration::from_millis(10)).await;
            }
            tally.note(|counts| counts.plis += 100);
            if let Ok(stranger) = UdpSocket::bind("127.0.0.1:0").await {
                for _ in 0..100 {
                    viewer.tell(Command::Raw(datagram(&mut chance)));
                    let _ = stranger.send_to(&datagram(&mut chance), viewer.media).await;
                    rest(Duration::from_millis(2)).await;
                }
            }
            for _ in 0..10 {
                // What comes back, if anything, is of no interest; that others are served is.
                let _ = http::send(page, &request(&mut chance)).await;
            }
            // One that never finishes its request.
            if let Ok(mut slow) = TcpStream::connect(page).await {
                let _ = slow.write_all(b"POST /whep HTTP/1.1\r\nHost:").await;
                rest(Duration::from_secs(4)).await;
            }
            tally.note(|counts| counts.garbage += 211);
            if viewer.log(|log| log.ended.is_some()) {
                break;
            }
        }
        if viewer.leave().await.is_ok() {
            tally.note(|counts| counts.left += 1);
        }
    }
}

/// Random bytes whose first says what they pretend to be (RFC 7983): STUN, DTLS, RTP or RTCP.
fn datagram(chance: &mut Chance) -> Vec<u8> {
    let length = 1 + (chance.next() % 1400) as usize;
    let mut bytes: Vec<u8> = (0..length).map(|_| chance.next() as u8).collect();
    bytes[0] = [0, 1, 20, 22, 23, 63, 128, 129, 144, 255][(chance.next() % 10) as usize];
    if let Some(second) = bytes.get_mut(1).filter(|_| chance.share() < 0.5) {
        *second = 200 + (chance.next() % 8) as u8;
    }
    bytes
}

/// Something that is almost a request.
fn request(chance: &mut Chance) -> Vec<u8> {
    let head = |method: &str, path: &str, kind: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    };
    let mut noise: Vec<u8> = (0..chance.next() % 3000).map(|_| chance.next() as u8).collect();
    match chance.next() % 6 {
        0 => {
            // So that it ends: nobody waits for the rest of a request for long.
            noise.extend_from_slice(b"\r\n\r\n");
            noise
        }
        1 => head("POST", "/whep", "application/sdp", &noise),
        2 => head(
            "POST",
            "/whep",
            "application/sdp",
            b"v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n",
        ),
        3 => head("PATCH", "/whep/0123", "application/trickle-ice-sdpfrag", &noise),
        4 => head("DELETE", "/whep/%00%ff", "text/plain", b""),
        _ => head("BREW", "/whep?x=y", "application/sdp", &vec![b'a'; 100_000]),
    }
}
