//! A baseline JPEG (ITU-T T.81) of plain blocks: each 8 x 8 samples have one value, so that only the first
//! coefficient of each block is written.

/// Everything before the entropy-coded data, but for the size: quantisation by 8, so that a step of the
/// first coefficient is a step of the samples; one table of Huffman codes of four bits for the first
/// coefficients' lengths, and one with the end of the block as its only code, a single 0.
const TABLES: [u8; 65 + 4 + 33 + 22] = {
    let mut bytes = [8; 65 + 4 + 33 + 22];
    let mut at = 0;
    let quantisation = [0xFF, 0xDB, 0, 67, 0];
    while at < quantisation.len() {
        bytes[at] = quantisation[at];
        at += 1;
    }
    at = 69;
    // DHT, class 0: twelve codes of four bits for the lengths 0 to 11; class 1: one code of one bit.
    let dc = [0xFF, 0xC4, 0, 31, 0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut index = 0;
    while index < dc.len() {
        bytes[at] = dc[index];
        (at, index) = (at + 1, index + 1);
    }
    let mut length = 0;
    while length < 12 {
        bytes[at] = length;
        (at, length) = (at + 1, length + 1);
    }
    let ac = [0xFF, 0xC4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00];
    index = 0;
    while index < ac.len() {
        bytes[at] = ac[index];
        (at, index) = (at + 1, index + 1);
    }
    bytes
};

/// Writes the I420 picture `planes` of limited range as a JPEG of full range, 4:2:0; how many bytes.
pub(crate) fn encode((width, height): (usize, usize), planes: [&[u8]; 3], out: &mut [u8]) -> usize {
    let mut writer = Writer { out, len: 0, bits: 0, count: 0 };
    writer.bytes(&[0xFF, 0xD8]);
    writer.bytes(&TABLES);
    let [high, low] = (height as u16).to_be_bytes();
    let [wide, narrow] = (width as u16).to_be_bytes();
    writer.bytes(&[0xFF, 0xC0, 0, 17, 8, high, low, wide, narrow, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
    writer.bytes(&[0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    let mut before = [0i32; 3];
    for top in (0..height).step_by(16) {
        for left in (0..width).step_by(16) {
            for (x, y) in [(0, 0), (8, 0), (0, 8), (8, 8)] {
                // Beyond the edge, what is at the edge.
                let (x, y) = ((left + x).min(width - 1), (top + y).min(height - 1));
                let luma = (i32::from(planes[0][y * width + x]) - 16) * 255 / 219;
                writer.block(luma.clamp(0, 255) - 128, &mut before[0]);
            }
            for plane in [1, 2] {
                let chroma = i32::from(planes[plane][top / 2 * (width / 2) + left / 2]) - 128;
                writer.block((chroma * 255 / 224).clamp(-128, 127), &mut before[plane]);
            }
        }
    }
    writer.flush();
    writer.bytes(&[0xFF, 0xD9]);
    writer.len
}

struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
    bits: u32,
    count: u32,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// A plain block: how its value differs from that of the one before, and the end of the block.
    fn block(&mut self, value: i32, before: &mut i32) {
        let difference = value - std::mem::replace(before, value);
        let length = 32 - difference.unsigned_abs().leading_zeros();
        self.put(length, 4);
        // T.81, F.1.2.1: negative numbers are one less, in as many bits as their amount has.
        let coded = if difference < 0 { difference - 1 } else { difference };
        self.put(coded as u32 & ((1 << length) - 1), length);
        self.put(0, 1);
    }

    fn put(&mut self, value: u32, count: u32) {
        self.bits = self.bits << count | value;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.bits >> self.count) as u8;
            self.bytes(&[byte]);
            if byte == 0xFF {
                self.bytes(&[0]);
            }
        }
    }

    /// Fills the last byte with ones.
    fn flush(&mut self) {
        if self.count > 0 {
            let rest = 8 - self.count;
            self.put((1 << rest) - 1, rest);
        }
    }
}
