//! RTCP that comes in: through the `rtc` crate's reading, and our interceptor.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use millstream_webrtc_rs::fuzz::Rtcp;

thread_local! {
    static RTCP: RefCell<Rtcp> = RefCell::new(Rtcp::new());
}

fuzz_target!(|data: &[u8]| RTCP.with_borrow_mut(|rtcp| rtcp.read(data)));
