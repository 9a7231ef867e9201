//! The pointer, drawn into a picture.

use x11rb::protocol::xfixes::GetCursorImageReply;

use super::region::Region;

/// Draws the pointer where it stands on the screen into `pixels`, the picture of `region` as BGRX.
pub(crate) fn draw(cursor: &GetCursorImageReply, region: Region, pixels: &mut [u8]) {
    let (width, height) = (i32::from(region.width), i32::from(region.height));
    // The image's corner in the picture: its hot spot stands at x, y of the screen.
    let left = i32::from(cursor.x) - i32::from(cursor.xhot) - i32::from(region.x);
    let top = i32::from(cursor.y) - i32::from(cursor.yhot) - i32::from(region.y);
    let rows = cursor.cursor_image.chunks_exact(usize::from(cursor.width).max(1));
    for (y, row) in (top..).zip(rows).filter(|(y, _)| (0..height).contains(y)) {
        for (x, argb) in (left..).zip(row).filter(|(x, _)| (0..width).contains(x)) {
            let at = (y * width + x) as usize * 4;
            blend(*argb, &mut pixels[at..at + 4]);
        }
    }
}

/// Lays `argb`, whose colours are multiplied by its alpha already (XFixes, "GetCursorImage"), over a pixel.
fn blend(argb: u32, pixel: &mut [u8]) {
    let [blue, green, red, alpha] = argb.to_le_bytes();
    for (under, over) in pixel.iter_mut().zip([blue, green, red]) {
        let seen = (u16::from(*under) * u16::from(255 - alpha) + 127) / 255;
        *under = over.saturating_add(seen as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two by two: red, nothing, half white, black; its hot spot is its lower right pixel.
    fn cursor(x: i16, y: i16) -> GetCursorImageReply {
        GetCursorImageReply {
            sequence: 0,
            length: 0,
            x,
            y,
            width: 2,
            height: 2,
            xhot: 1,
            yhot: 1,
            cursor_serial: 0,
            cursor_image: vec![0xFFFF_0000, 0, 0x8080_8080, 0xFF00_0000],
        }
    }

    fn drawn(x: i16, y: i16) -> Vec<[u8; 3]> {
        let region = Region { x: 10, y: 20, width: 3, height: 2 };
        let mut pixels = [100, 100, 100, 0].repeat(6);
        draw(&cursor(x, y), region, &mut pixels);
        pixels.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
    }

    #[test]
    fn it_stands_where_its_hot_spot_is_and_is_laid_over() {
        let (under, red, half, black) = ([100; 3], [0, 0, 255], [178; 3], [0; 3]);
        assert_eq!(drawn(11, 21), [red, under, under, half, black, under]);
    }

    #[test]
    fn what_is_outside_the_region_is_not_drawn() {
        let (under, red, black) = ([100; 3], [0, 0, 255], [0; 3]);
        assert_eq!(drawn(10, 20), [black, under, under, under, under, under]);
        assert_eq!(drawn(13, 22), [under, under, under, under, under, red]);
        assert_eq!(drawn(-32768, 32767), [under; 6]);
    }
}
