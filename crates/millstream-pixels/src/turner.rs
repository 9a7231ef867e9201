//! Pictures turned by quarters and mirrored.

use millstream_core::{PixelFormat, Plane, PlaneMut, Pool, VideoFrame};

use crate::POOLED_FRAMES;

/// How a picture is turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Quarter turns clockwise; four are none.
    pub quarters: u8,
    /// Whether left and right are swapped afterwards.
    pub mirror: bool,
}

/// Turns pictures. Each worker that needs one owns one: it holds the pool that they come from.
#[derive(Debug)]
pub struct Turner {
    pool: Pool<u8>,
}

impl Turner {
    /// One that has turned nothing yet.
    pub fn new() -> Turner {
        Turner { pool: Pool::new(POOLED_FRAMES) }
    }

    /// `frame` turned, of the same time and colour; its sides are swapped where it is turned by a quarter
    /// or three. One that stays as it is is not copied.
    ///
    /// # Panics
    /// If it is not I420: the [`Converter`](crate::Converter) makes that of everything else.
    pub fn turn(&mut self, frame: VideoFrame, turn: Turn) -> VideoFrame {
        assert_eq!(frame.format(), PixelFormat::I420, "convert it before");
        let quarters = turn.quarters % 4;
        if quarters == 0 && !turn.mirror {
            return frame;
        }
        let (width, height) = (frame.width(), frame.height());
        let size = if quarters % 2 == 1 { (height, width) } else { (width, height) };
        let mut turned = VideoFrame::fill(&mut self.pool, PixelFormat::I420, size, frame.time, |planes| {
            for (index, to) in planes.iter_mut().enumerate() {
                match (quarters, turn.mirror) {
                    (0, _) => rows(frame.plane(index), to, false, true),
                    (2, mirror) => rows(frame.plane(index), to, true, !mirror),
                    // Its rows become columns: from the right for one quarter, or, mirrored, from the left.
                    (quarters, mirror) => columns(frame.plane(index), to, (quarters == 1) != mirror, quarters == 3),
                }
            }
        });
        (turned.color, turned.rotation) = (frame.color, frame.rotation);
        turned.time_is_estimated = frame.time_is_estimated;
        turned
    }
}

impl Default for Turner {
    fn default() -> Turner {
        Turner::new()
    }
}

/// Copies rows, from the bottom or the top, each reversed or as it is.
fn rows(from: Plane<'_>, to: &mut PlaneMut<'_>, upside_down: bool, reversed: bool) {
    for (index, to) in to.data.chunks_exact_mut(to.row).enumerate() {
        let source = if upside_down { from.rows - 1 - index } else { index };
        to.copy_from_slice(&from.data[source * from.stride..][..from.row]);
        if reversed {
            to.reverse();
        }
    }
}

/// A square of samples that the nearest cache holds with what it becomes.
const TILE: usize = 16;

/// Makes a column of each row: the first at the right or the left, each from its end or its start.
fn columns(from: Plane<'_>, to: &mut PlaneMut<'_>, from_right: bool, upwards: bool) {
    let (row, rows) = (to.row, to.rows);
    for top in (0..rows).step_by(TILE) {
        for left in (0..row).step_by(TILE) {
            for y in top..(top + TILE).min(rows) {
                let x_of_source = if upwards { from.row - 1 - y } else { y };
                let out = &mut to.data[y * row..][..row];
                for (x, out) in out.iter_mut().enumerate().take((left + TILE).min(row)).skip(left) {
                    let y_of_source = if from_right { from.rows - 1 - x } else { x };
                    *out = from.data[y_of_source * from.stride + x_of_source];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_core::Timestamp;

    fn picture(size: (u32, u32)) -> VideoFrame {
        VideoFrame::fill(&mut Pool::new(1), PixelFormat::I420, size, Timestamp::from_millis(5), |planes| {
            for plane in planes {
                plane.data.iter_mut().enumerate().for_each(|(index, sample)| *sample = (index * 31 % 251) as u8);
            }
        })
    }

    fn luma(frame: &VideoFrame) -> Vec<Vec<u8>> {
        frame.plane(0).iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn a_small_picture_is_turned_by_hand() {
        // 0 31 62
        // 93 124 155
        let turned = |quarters, mirror| luma(&Turner::new().turn(picture((3, 2)), Turn { quarters, mirror }));
        assert_eq!(turned(0, false), [[0, 31, 62], [93, 124, 155]]);
        assert_eq!(turned(1, false), [[93, 0], [124, 31], [155, 62]]);
        assert_eq!(turned(2, false), [[155, 124, 93], [62, 31, 0]]);
        assert_eq!(turned(3, false), [[62, 155], [31, 124], [0, 93]]);
        assert_eq!(turned(0, true), [[62, 31, 0], [155, 124, 93]]);
        assert_eq!(turned(1, true), [[0, 93], [31, 124], [62, 155]]);
        assert_eq!(turned(2, true), [[93, 124, 155], [0, 31, 62]]);
        assert_eq!(turned(3, true), [[155, 62], [124, 31], [93, 0]]);
    }

    #[test]
    fn four_quarters_and_two_mirrors_are_nothing_at_every_size() {
        let mut turner = Turner::new();
        for size in [(1, 1), (2, 5), (16, 16), (33, 17), (40, 64), (85, 31)] {
            let before = picture(size);
            let mut frame = before.clone();
            for _ in 0..4 {
                frame = turner.turn(frame, Turn { quarters: 1, mirror: false });
            }
            for quarters in [0, 2] {
                for _ in 0..2 {
                    frame = turner.turn(frame, Turn { quarters, mirror: true });
                }
            }
            for plane in 0..3 {
                assert!(frame.plane(plane).iter().eq(before.plane(plane).iter()), "plane {plane} of {size:?}");
            }
            assert_eq!(frame.time, before.time);
        }
    }
}
