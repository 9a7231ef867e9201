//! A Chromium without a window.
