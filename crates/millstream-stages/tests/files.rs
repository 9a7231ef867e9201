//! What the writers write, judged by FFmpeg: it plays without a complaint and lasts as long as it should.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::task::Waker;

use millstream_core::units::FrameRate;
use millstream_core::{
    AudioFrame, Clock, Cx, EncodedFrame, Next, PixelFormat, Role, Run, Sink, Source, Timestamp, Upstream, VideoFrame,
};
use millstream_stages::{
    ivf_file, ivf_writer, ogg_opus_file, ogg_opus_writer, test_audio, test_video, wav_writer, y4m_writer,
};

/// What durations may differ by, in seconds: a frame of video at 25 frames per second.
const TOLERANCE: f64 = 0.04;

/// A file of this test, in a folder that cargo keeps for tests.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs a program of FFmpeg and returns what it prints; `None` if it is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = match Command::new(program).args(arguments).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        output => output.expect("an installed program starts"),
    };
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{program} {arguments:?}: {complaints}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ffmpeg_is_missing() -> bool {
    let missing = ["ffmpeg", "ffprobe"].iter().any(|program| run(program, &["-v", "warning", "-version"]).is_none());
    if missing {
        millstream_testkit::skipped("ffmpeg");
    }
    missing
}

/// FFmpeg finds nothing wrong with the file, which has `packets` packets where that is known, and lasts `seconds`.
fn judge(path: &Path, seconds: f64, packets: Option<usize>) {
    let path = path.to_str().expect("cargo's folder has a name of text");
    let probe = |entry: &str| {
        let arguments = [
            "-v",
            "warning",
            "-count_packets",
            "-show_entries",
            entry,
            "-of",
            "default=nokey=1:noprint_wrappers=1",
            path,
        ];
        run("ffprobe", &arguments).expect("ffprobe was there before").trim().to_owned()
    };
    let duration: f64 = probe("format=duration").parse().expect("the file says how long it lasts");
    assert!((duration - seconds).abs() <= TOLERANCE, "{path}: {duration} s and not {seconds} s");
    if let Some(packets) = packets {
        assert_eq!(probe("stream=nb_read_packets"), packets.to_string(), "{path}");
    }
    run("ffmpeg", &["-v", "error", "-i", path, "-f", "null", "-"]);
}

/// Up to `limit` items of `source`, in virtual time that starts at 3 s.
fn read<T>(mut source: impl Source<T>, limit: usize) -> Vec<T> {
    let (clock, hand) = Clock::manual();
    let run = Run::default();
    let start = Timestamp::from_millis(3000);
    hand.set(start);
    run.start(start);
    let mut cx = Cx::new(clock, Waker::noop().clone(), Upstream::default(), run);
    let mut items = Vec::new();
    while items.len() < limit {
        match source.next(&mut cx).unwrap() {
            Next::Item(item) => items.push(item),
            Next::Until(time) => hand.set(time),
            Next::Idle => panic!("a source of files and test pictures is never idle"),
            Next::End => break,
        }
    }
    items
}

fn write<T>(mut sink: impl Sink<T>, items: impl IntoIterator<Item = T>) {
    let mut cx = Cx::at(Timestamp::ZERO);
    items.into_iter().for_each(|item| sink.consume(item, &mut cx).unwrap());
    sink.finish(&mut cx).unwrap();
}

fn pictures(count: usize) -> Vec<VideoFrame> {
    let options = test_video::Options { fps: FrameRate::new(25, 1).unwrap(), ..test_video::Options::default() };
    read(test_video::TestVideo::new(options).unwrap(), count)
}

fn sound(blocks: usize) -> Vec<AudioFrame> {
    read(test_audio::TestAudio::new(test_audio::Options::default()).unwrap(), blocks)
}

fn same_data(a: &[EncodedFrame], b: &[EncodedFrame]) -> bool {
    a.iter().map(|frame| &frame.data).eq(b.iter().map(|frame| &frame.data))
}

#[test]
fn y4m() {
    if ffmpeg_is_missing() {
        return;
    }
    // At 10 frames per second the last picture, at 1.96 s, is nearest to the frame at 2 s.
    for (fps, name, count) in [(25, "same.y4m", 50), (30, "more.y4m", 60), (10, "less.y4m", 21)] {
        let path = place(name);
        let fps = FrameRate::new(fps, 1).unwrap();
        // What a queue dropped on the way leaves no hole.
        let frames =
            pictures(50).into_iter().enumerate().filter(|(n, _)| !(10..20).contains(n)).map(|(_, frame)| frame);
        write(y4m_writer::Y4mWriter::new(&y4m_writer::Options { path: path.clone(), fps }).unwrap(), frames);
        judge(&path, fps.time_of(count).as_secs_f64(), Some(count as usize));
    }
    for format in [PixelFormat::I422, PixelFormat::I444, PixelFormat::Gray, PixelFormat::Rgb] {
        let path = place(&format!("{format:?}.y4m"));
        let fps = FrameRate::new(25, 1).unwrap();
        let frames = (0..25).map(|n| {
            let data = vec![n as u8; format.byte_len(65, 33)];
            VideoFrame::tight(data.into(), format, (65, 33), Timestamp::from_millis(n * 40))
        });
        write(y4m_writer::Y4mWriter::new(&y4m_writer::Options { path: path.clone(), fps }).unwrap(), frames);
        judge(&path, 1.0, Some(25));
    }
}

#[test]
fn wav() {
    if ffmpeg_is_missing() {
        return;
    }
    for (format, name) in [(wav_writer::Format::S16, "s16.wav"), (wav_writer::Format::F32, "f32.wav")] {
        let path = place(name);
        let mut blocks = sound(200);
        blocks.drain(50..70);
        blocks[50].discontinuity = true;
        write(wav_writer::WavWriter::new(&wav_writer::Options { path: path.clone(), format }).unwrap(), blocks);
        judge(&path, 2.0, None);
    }
}

#[test]
fn ivf() {
    if ffmpeg_is_missing() {
        return;
    }
    let (from, path) = (place("from.ivf"), place("copy.ivf"));
    let encode = ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=30000/1001:duration=2"];
    run("ffmpeg", &[&encode[..], &["-c:v", "libvpx", "-g", "20", from.to_str().unwrap()]].concat());
    let open =
        |path: &Path| ivf_file::IvfFile::new(ivf_file::Options { path: path.to_owned(), r#loop: false }).unwrap();
    let frames = read(open(&from), usize::MAX);
    assert_eq!((frames.len(), frames[0].role, frames[0].size), (60, Role::Start, Some((320, 240))));
    assert!(frames.iter().filter(|frame| frame.role == Role::Start).count() >= 3);
    write(ivf_writer::IvfWriter::new(&ivf_writer::Options { path: path.clone() }).unwrap(), frames.clone());
    judge(&path, 2.002, Some(60));
    let again = read(open(&path), usize::MAX);
    assert!(same_data(&frames, &again));
    // Times are kept to half a tick of 1/90000 s.
    assert!(frames.iter().zip(&again).all(|(a, b)| a.time.as_nanos().abs_diff(b.time.as_nanos()) <= 5556));
}

#[test]
fn ogg_opus() {
    if ffmpeg_is_missing() {
        return;
    }
    let (from, path) = (place("from.ogg"), place("copy.ogg"));
    for frame_ms in ["2.5", "20", "60"] {
        let encode = ["-v", "error", "-y", "-f", "lavfi", "-i", "sine=duration=3", "-c:a", "libopus"];
        run("ffmpeg", &[&encode[..], &["-frame_duration", frame_ms, from.to_str().unwrap()]].concat());
        let open = |path: &Path| {
            ogg_opus_file::OggOpusFile::new(ogg_opus_file::Options { path: path.to_owned(), r#loop: false }).unwrap()
        };
        let write_all = |packets: Vec<EncodedFrame>| {
            let options = ogg_opus_writer::Options { path: path.clone() };
            write(ogg_opus_writer::OggOpusWriter::new(&options).unwrap(), packets);
        };
        let packets = read(open(&from), usize::MAX);
        let seconds = packets.iter().map(|packet| packet.duration.as_secs_f64()).sum::<f64>() - 0.0065;
        assert!((seconds - 3.0).abs() <= 0.06, "{seconds} s");
        write_all(packets.clone());
        judge(&path, seconds, Some(packets.len()));
        assert!(same_data(&packets, &read(open(&path), usize::MAX)));
        // Silence that was not sent; its packets may be shorter than those around them.
        let third = packets.len() / 3;
        write_all([&packets[..third], &packets[2 * third..]].concat());
        judge(&path, seconds, None);
        run("ffmpeg", &["-v", "error", "-c:a", "libopus", "-i", path.to_str().unwrap(), "-f", "null", "-"]);
    }
}
