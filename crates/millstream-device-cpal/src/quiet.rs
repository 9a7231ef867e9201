//! Keeps ALSA from writing to standard error what it could not open while it looks for devices.

/// Silences ALSA on this thread until it is dropped.
pub(crate) struct Quiet {
    #[cfg(target_os = "linux")]
    _kept: Option<std::rc::Rc<std::cell::RefCell<alsa::Output>>>,
}

/// Silences ALSA on this thread. What it says is kept in memory instead, and dropped.
pub(crate) fn quiet() -> Quiet {
    Quiet {
        #[cfg(target_os = "linux")]
        _kept: alsa::Output::local_error_handler().ok(),
    }
}
