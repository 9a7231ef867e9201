//! What a picture holds: the right pixels of the right place, by either way, with the pointer or without.

use std::time::Duration;

use millstream_core::error::Kind;
use millstream_core::{Control, Source, VideoFrame};
use millstream_device_x11::Options;
use millstream_testkit::Xvfb;

use crate::painter::Painter;
use crate::watcher::{Watcher, plain};

/// A grey that no neighbour has.
fn pattern(x: u16, y: u16) -> u8 {
    (u32::from(x) * 7 + u32::from(y) * 13) as u8
}

/// What BT.601 makes of a grey, in limited range (ITU-R BT.601-7, table 3).
fn luma(grey: u8) -> u8 {
    16 + (u16::from(grey) * 219 + 127).div_euclid(255) as u8
}

/// Says that the picture is the part of the pattern whose upper left corner is at `left`, `top`.
fn assert_shows(frame: &VideoFrame, (left, top): (u16, u16)) {
    for (y, row) in frame.plane(0).iter().enumerate() {
        for (x, value) in row.iter().enumerate() {
            let expected = luma(pattern(left + x as u16, top + y as u16));
            assert!(value.abs_diff(expected) <= 1, "{value} and not {expected} at {x},{y}");
        }
    }
}

#[test]
fn every_pixel_of_the_screen_and_of_a_region_is_where_it_belongs() {
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let painter = Painter::new(server.display());
    painter.paint(pattern);
    let mut whole = Watcher::open(plain(server.display())).unwrap();
    assert!(whole.screen.opened().contains("640x480+0+0"), "{}", whole.screen.opened());
    assert!(whole.screen.opened().contains("by shared memory"), "{}", whole.screen.opened());
    let frame = whole.next().unwrap();
    assert_eq!((frame.width(), frame.height()), (640, 480));
    assert_shows(&frame, (0, 0));

    // Odd in every respect.
    let region = Some("123x45+517+435".parse().unwrap());
    let mut part = Watcher::open(Options { region, ..plain(server.display()) }).unwrap();
    let frame = part.next().unwrap();
    assert_eq!((frame.width(), frame.height()), (123, 45));
    assert_shows(&frame, (517, 435));
}

#[test]
fn a_server_that_shares_no_memory_is_captured_through_its_socket() {
    let Some(server) = Xvfb::start((640, 480), &["-extension", "MIT-SHM"]) else { return };
    Painter::new(server.display()).paint(pattern);
    let region = Some("320x240+11+13".parse().unwrap());
    let mut watcher = Watcher::open(Options { region, ..plain(server.display()) }).unwrap();
    assert!(watcher.screen.opened().contains("through the socket"), "{}", watcher.screen.opened());
    assert_shows(&watcher.next().unwrap(), (11, 13));
}

#[test]
fn the_pointer_is_drawn_where_it_stands_or_not_at_all() {
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let painter = Painter::new(server.display());
    painter.paint(|_, _| 0);
    painter.point(8, 300, 200);
    let lit = |frame: &VideoFrame| -> Vec<(usize, usize)> {
        let rows = frame.plane(0).iter().enumerate();
        rows.flat_map(|(y, row)| row.iter().enumerate().filter(|(_, value)| **value > 200).map(move |(x, _)| (x, y)))
            .collect()
    };
    let square = |left: usize, top: usize| -> Vec<(usize, usize)> {
        (top..top + 8).flat_map(|y| (left..left + 8).map(move |x| (x, y))).collect()
    };
    let region = Some("400x300+100+50".parse().unwrap());
    let without = Options { region, ..plain(server.display()) };
    let with = Options { cursor: true, ..without.clone() };
    assert_eq!(lit(&Watcher::open(without).unwrap().next().unwrap()), []);
    let mut watcher = Watcher::open(with).unwrap();
    assert_eq!(lit(&watcher.next().unwrap()), square(200, 150));
    painter.point(8, 101, 51);
    watcher.until(|frame| lit(frame) == square(1, 1));
}

#[test]
fn pictures_come_at_the_rate_asked_for_and_not_in_a_pause() {
    let Some(server) = Xvfb::start((640, 480), &[]) else { return };
    let fps = "50".parse().unwrap();
    let mut watcher = Watcher::open(Options { fps, ..plain(server.display()) }).unwrap();
    let start = watcher.cx.start();
    let times: Vec<Duration> = (0..50).map(|_| watcher.next().unwrap().time.since(start)).collect();
    // Each belongs to a period of its own and is captured after that began: a slow machine captures it late, or
    // leaves some out, and makes none up.
    let early = times.iter().zip(0..).find(|(time, number)| **time < *number * Duration::from_millis(20));
    assert_eq!(early, None, "{times:?}");

    watcher.screen.control(Control::Pause(true), &mut watcher.cx);
    // What was taken before the pause may still be there.
    let paused = watcher.cx.now();
    watcher.screen.control(Control::Pause(false), &mut watcher.cx);
    let resumed = watcher.until(|frame| frame.time >= paused);
    assert!(resumed.time >= paused);
}

#[test]
fn a_screen_that_changes_its_size_gives_pictures_of_the_new_size() {
    let Some(server) = Xvfb::start((1280, 720), &[]) else { return };
    let painter = Painter::new(server.display());
    let mut watcher = Watcher::open(plain(server.display())).unwrap();
    let size = |frame: &VideoFrame| (frame.width(), frame.height());
    assert_eq!(size(&watcher.next().unwrap()), (1280, 720));
    painter.resize(640, 480);
    watcher.until(|frame| size(frame) == (640, 480));
    painter.resize(1280, 720);
    watcher.until(|frame| size(frame) == (1280, 720));
}

#[test]
fn a_region_that_the_screen_no_longer_has_is_lost_until_it_is_back() {
    let Some(server) = Xvfb::start((1280, 720), &[]) else { return };
    let painter = Painter::new(server.display());
    let region = Some("400x300+800+400".parse().unwrap());
    let mut watcher = Watcher::open(Options { region, ..plain(server.display()) }).unwrap();
    watcher.next().unwrap();
    painter.resize(640, 480);
    let lost = loop {
        if let Err(lost) = watcher.next() {
            break lost;
        }
    };
    assert_eq!(lost.kind(), Kind::Lost);
    assert!(lost.to_string().contains("is not within the device, which is 640x480"), "{lost}");
    painter.resize(1280, 720);
    let frame = watcher.next().unwrap();
    assert_eq!((frame.width(), frame.height()), (400, 300));
}
