//! The clip that every sender shows: two seconds of the test picture, drawn once.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use millstream::core::{Cx, Next, PlaneMut, Source, Timestamp};
use millstream::stages::test_video::{Options, TestVideo};

use crate::rivals::{Result, at};

pub(crate) const WIDTH: u32 = 1280;
pub(crate) const HEIGHT: u32 = 720;
pub(crate) const FPS: u32 = 30;
/// Between two pictures: 29.9 a second. A screen shows at its own 60 a second, so a picture waits for up to
/// 16.7 ms for its turn. At exactly 30 every picture of a turn would wait equally long, by chance; so each
/// wait comes up equally often, every five seconds.
pub(crate) const PERIOD: Duration = Duration::from_nanos(33_444_816);
/// Two seconds: longer ones are only larger.
const PICTURES: usize = 60;
/// Bytes of a picture in I420.
pub(crate) const SIZE: usize = (WIDTH * HEIGHT * 3 / 2) as usize;

/// The clip as a file of pictures in I420, one after the other.
pub(crate) fn rendered() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rivals/clip.i420");
    std::fs::create_dir_all(path.parent().expect("it has a folder")).map_err(at(path.display()))?;
    let mut file = BufWriter::new(File::create(&path).map_err(at(path.display()))?);
    // Far in the future everything is due.
    let mut cx = Cx::at(Timestamp::from_millis(4_000));
    let mut source = TestVideo::new(Options::default()).map_err(at("the picture"))?;
    for _ in 0..PICTURES {
        let Ok(Next::Item(frame)) = source.next(&mut cx) else { return Err("the test picture ends".into()) };
        for row in (0..3).flat_map(|plane| frame.plane(plane).iter()) {
            file.write_all(row).map_err(at(path.display()))?;
        }
    }
    file.flush().map_err(at(path.display()))?;
    Ok(path)
}

/// Copies picture `index` of `clip` into planes.
pub(crate) fn copy(clip: &[u8], index: u64, planes: &mut [PlaneMut<'_>]) {
    let pictures = clip.len() / SIZE;
    let mut from = &clip[index as usize % pictures * SIZE..];
    for plane in planes {
        let (these, rest) = from.split_at(plane.data.len());
        plane.data.copy_from_slice(these);
        from = rest;
    }
}
