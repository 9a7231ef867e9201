//! Offers of real players to a page of sound and pictures, over HTTP: 201 means that something is sent.

use crate::native::http::{self, Answer};
use crate::native::{Answered, DEADLINE, Viewer};
use crate::show::{Show, alone};
use tokio::time::timeout;

const SDP: [(&str, &str); 1] = [("Content-Type", "application/sdp")];

/// A viewer that offers what `edit` makes of its offer, and the answer.
async fn join(show: &Show, edit: impl Fn(String) -> String) -> Result<(Viewer, String), String> {
    let mut told = String::new();
    let viewer = Viewer::by(show.address, None, async |offer| {
        let Answer { status, body, .. } = &http::ask(show.address, "POST", "/whep", &SDP, &edit(offer)).await?;
        told.clone_from(body);
        if *status == 201 {
            Ok(Answered { sdp: body.clone(), resource: String::new() })
        } else {
            Err(format!("{status}: {body}"))
        }
    });
    Ok((viewer.await?, told))
}

#[test]
fn what_was_not_negotiated_is_not_sent() {
    alone(async {
        let show = Show::start();
        let no_sound = |offer: String| offer.replace("opus/48000", "L16/48000");
        let (pictures, answer) = join(&show, no_sound).await.expect("pictures");
        assert!(answer.contains("m=audio 0 ") && answer.matches("a=sendonly").count() == 1, "{answer}");
        let no_pictures = |offer: String| offer.replace("VP8/90000", "H261/90000");
        let (sound, answer) = join(&show, no_pictures).await.expect("sound");
        assert!(answer.contains("m=video 0 ") && answer.matches("a=sendonly").count() == 1, "{answer}");
        assert!(pictures.sees(|log| log.frames >= 60).await && sound.sees(|log| log.sound >= 100).await);
        assert_eq!(pictures.log(|log| (log.sound, log.undecodable)), (0, 0));
        assert_eq!(sound.log(|log| (log.frames, log.ssrc)), (0, 0));
    });
}

#[test]
fn an_offer_on_which_nothing_is_sent_is_refused_in_words_and_leaves_nothing() {
    alone(async {
        let show = Show::start();
        for (changes, words) in [
            (&[("a=recvonly", "a=inactive")][..], "section 1 (video) does not want to receive"),
            (&[("a=recvonly", "a=sendonly")], "section 2 (audio) does not want to receive"),
            (&[("VP8/", "VP7/"), ("opus/", "L16/")], "section 2 (audio) has no opus"),
            (&[("a=fingerprint:sha-256", "a=fingerprint:sha-384")], "known by sha-384 alone"),
            (&[("a=setup:actpass", "a=setup:holdconn")], "wants no connection yet"),
            (&[("a=ice-ufrag", "a=x")], "no a=ice-ufrag"),
            (&[(" UDP/TLS/RTP/SAVPF ", " RTP/QUIC ")], "wants RTP/QUIC"),
        ] {
            let edit = |offer: String| changes.iter().fold(offer, |offer, (from, to)| offer.replace(from, to));
            let refused = join(&show, edit).await.err().expect("nothing can be sent");
            assert!(refused.starts_with("422: ") && refused.contains(words), "{refused}");
        }
        assert_eq!(http::viewers(show.address).await, Ok(0));
        let freed = async {
            while show.backend.tasks() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, freed).await.expect("nothing is left of them");
        let (viewer, _) = join(&show, |offer| offer).await.expect("the page goes on");
        assert!(viewer.sees(|log| log.frames > 0 && log.sound > 0).await);
    });
}
