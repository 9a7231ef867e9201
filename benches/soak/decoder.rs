//! ffmpeg, which decodes what a viewer got and says what it does not like.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::native::Taker;
use crate::tally::Tally;

/// A running decoder. It ends with the last of its takers.
pub(crate) struct Decoder(Taker);

impl Decoder {
    /// Starts ffmpeg; every line that it says is an error in `tally`.
    pub(crate) fn start(tally: Tally) -> Decoder {
        let (taker, frames) = channel();
        std::thread::spawn(move || {
            if let Err(error) = decode(&frames, &tally) {
                eprintln!("soak: the decoder stopped: {error}");
                tally.decoder_failed();
            }
        });
        Decoder(taker)
    }

    pub(crate) fn taker(&self) -> Taker {
        self.0.clone()
    }
}

fn decode(frames: &Receiver<(u32, Vec<u8>)>, tally: &Tally) -> std::io::Result<()> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "ivf", "-i", "-", "-fps_mode", "passthrough", "-f", "null", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (mut to, said) = ffmpeg.stdin.take().zip(ffmpeg.stderr.take()).ok_or(std::io::ErrorKind::BrokenPipe)?;
    let heard = tally.clone();
    let listener = std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            eprintln!("ffmpeg: {line}");
            heard.decoder_failed();
        }
    });
    to.write_all(&header())?;
    let mut first = None;
    while let Ok((ticks, data)) = frames.recv() {
        let time = u64::from(ticks.wrapping_sub(*first.get_or_insert(ticks)));
        to.write_all(&(data.len() as u32).to_le_bytes())?;
        to.write_all(&time.to_le_bytes())?;
        to.write_all(&data)?;
    }
    drop(to);
    ffmpeg.wait()?;
    let _ = listener.join();
    Ok(())
}

/// The header of an IVF file of VP8 on a clock of 90 kHz, of a length that nobody knows.
fn header() -> [u8; 32] {
    let mut header = [0; 32];
    header[..4].copy_from_slice(b"DKIF");
    header[6] = 32;
    header[8..12].copy_from_slice(b"VP80");
    header[12..14].copy_from_slice(&640u16.to_le_bytes());
    header[14..16].copy_from_slice(&360u16.to_le_bytes());
    header[16..20].copy_from_slice(&90_000u32.to_le_bytes());
    header[20..24].copy_from_slice(&1u32.to_le_bytes());
    header
}
