//! Several viewers of one pipeline: each comes and goes without hurting another.

use futures_util::future::join3;

use crate::chromium::{Viewer, load, with_chromium};
use crate::demo::Seen;

#[test]
fn one_of_three_viewers_leaves_and_no_other_notices() {
    with_chromium(async |chromium| {
        let (pipeline, address) = load("demo", &["video.width=640", "video.height=360"]);
        let running = pipeline.spawn().unwrap();
        let mut viewers = Vec::new();
        for _ in 0..3 {
            let viewer = chromium.open(&address).await;
            viewer.playing().await;
            viewers.push(viewer);
        }
        let leaving = viewers.pop().expect("three viewers");
        let (one, other, ()) = join3(gaps(&viewers[0]), gaps(&viewers[1]), async {
            let before: Vec<Seen> = leaving.value("probe.timecodes(3)").await;
            assert!(before.len() > 60, "{} pictures before leaving", before.len());
            leaving.0.close().await.expect("the page closes");
        })
        .await;
        eprintln!("longest gaps: {one:.0} and {other:.0} ms");
        assert!(one <= 200.0 && other <= 200.0, "longest gaps: {one:.0} and {other:.0} ms");
        running.stop();
        running.wait().unwrap();
    });
}

/// The longest time between two pictures of the next 8 s, in milliseconds.
async fn gaps(viewer: &Viewer) -> f64 {
    let seen: Vec<Seen> = viewer.value("probe.timecodes(8)").await;
    assert!(seen.len() > 200, "{} pictures in 8 s", seen.len());
    seen.windows(2).map(|pair| pair[1].at - pair[0].at).fold(0.0, f64::max)
}
