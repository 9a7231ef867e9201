//! A camera without hardware: a library that, preloaded, answers for `/dev/video0` in any program that
//! opens it by Video4Linux2. Nothing of it needs the kernel, a driver or a device.
//!
//! ```sh
//! cargo build -p millstream-testkit --example fake_camera
//! export MILLSTREAM_FAKE_CAMERA=/tmp/camera            # a file that says what the camera does
//! LD_PRELOAD=target/debug/examples/libfake_camera.so cargo run -- run pipelines/webcam.toml
//! ```
//! It shows colour bars, a box that moves, and the timecode strip with the number of the picture where
//! a time would be. It has YUYV, NV12 and MJPEG at 352x288 and 1280x720, and the first two at 640x480, at
//! 15, 30 and 60 pictures a second.
//!
//! The file is looked at a hundred times a second; a missing or empty one means `plugged`:
//!
//! | words in it | what the camera does |
//! |---|---|
//! | `plugged` | works |
//! | `node=2` | is `/dev/video2` |
//! | `unplugged` | is gone: open handles are dead for ever |
//! | `stalled` | gives no picture, and no error |
//! | `hanging` | no call of its driver returns |
//! | `busy` | streams to another program |
//! | `unreadable` | may not be opened |
//! | `odd` | stands at YU12 and 12.5 pictures a second when it is opened |
//! | `padded` | has 64 bytes behind each row of uncompressed pictures |
//! | `stuck` | refuses to stop |
//! | `absurd` | answers with a number that no header knows, at which the crate `v4l` panics |
//! | `errors=500` | fails the next 500 times that a picture is fetched |
//! | `damaged=30` | gives 30 pictures that it calls damaged |
//! | `garbled=30` | gives 30 pictures of which the most is missing, and does not say so |
//!
//! x86_64 and aarch64, glibc. A panic in here ends the program: nothing unwinds out of C.

#![expect(unsafe_code, reason = "it stands in for the C library and the kernel")]

#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod camera;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod control;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod interpose;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod jpeg;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod picture;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod video4linux;
