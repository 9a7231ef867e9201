//! What the camera sees: bars, a box that moves, and the strip with the number of the picture.

use millstream_core::PlaneMut;
use millstream_stages::timecode;
use millstream_testkit::camera::BARS;

use crate::jpeg;

/// Everything lies on a grid of so many pixels, so that a JPEG of plain blocks shows it as it is.
const GRID: usize = 16;
/// The box, in pixels.
const BOX: usize = 64;

/// How a picture is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Yuyv,
    Nv12,
    Mjpeg,
}

/// Paints pictures of one size.
pub(crate) struct Painter {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 3],
}

impl Painter {
    pub(crate) fn new(width: usize, height: usize) -> Painter {
        let sizes = [(width, height), (width / 2, height / 2), (width / 2, height / 2)];
        Painter { width, height, planes: sizes.map(|(width, height)| vec![0; width * height]) }
    }

    /// The size it paints.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Paints picture `number` as `encoding` into `out`; how many bytes it has.
    pub(crate) fn paint(&mut self, number: u32, encoding: Encoding, out: &mut [u8]) -> usize {
        self.draw(number);
        let (width, height) = (self.width, self.height);
        let [y, u, v] = &self.planes;
        match encoding {
            Encoding::Mjpeg => jpeg::encode((width, height), [y, u, v], out),
            Encoding::Nv12 => {
                let (luma, chroma) = out.split_at_mut(width * height);
                luma.copy_from_slice(y);
                for (pair, (u, v)) in chroma.chunks_exact_mut(2).zip(u.iter().zip(v)) {
                    pair.copy_from_slice(&[*u, *v]);
                }
                width * height * 3 / 2
            }
            Encoding::Yuyv => {
                let half = width / 2;
                for (row, (out, luma)) in out.chunks_exact_mut(width * 2).zip(y.chunks_exact(width)).enumerate() {
                    let chroma = row / 2 * half;
                    let pairs = u[chroma..chroma + half].iter().zip(&v[chroma..chroma + half]);
                    for ((four, luma), (u, v)) in out.chunks_exact_mut(4).zip(luma.chunks_exact(2)).zip(pairs) {
                        four.copy_from_slice(&[luma[0], *u, luma[1], *v]);
                    }
                }
                width * height * 2
            }
        }
    }

    fn draw(&mut self, number: u32) {
        let (width, height) = (self.width, self.height);
        let across = (width - BOX) / GRID + 1;
        let (left, top) = (number as usize % across * GRID, height / 2 / GRID * GRID);
        for (index, plane) in self.planes.iter_mut().enumerate() {
            let scale = if index == 0 { 1 } else { 2 };
            let row = width / scale;
            // All rows outside the box are alike.
            for (column, sample) in plane[..row].iter_mut().enumerate() {
                *sample = BARS[column * scale / GRID * GRID * BARS.len() / width][index];
            }
            for y in 1..height / scale {
                plane.copy_within(..row, y * row);
            }
            for y in top / scale..((top + BOX).min(height)) / scale {
                plane[y * row + left / scale..][..BOX / scale].fill(BARS[0][index]);
            }
        }
        let [y, u, v] = &mut self.planes;
        let plane = |data, scale: usize| PlaneMut { data, row: width / scale, rows: height / scale };
        timecode::write(&mut [plane(y, 1), plane(u, 2), plane(v, 2)], number);
    }
}
