//! What follows from the options of a stage before it is built: the files it uses, what it gives, and its sound.

use std::path::{Path, PathBuf};

use crate::format::Format;

/// What is known of a stage from its options alone, before it is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// What its outputs give, by name, where that [follows from the options](crate::descriptor::Gives::FromOptions).
    pub outputs: Vec<(&'static str, Format)>,
    /// The files that it uses.
    pub files: Vec<FileUse>,
    /// The raw sound that it gives, if it gives any.
    pub sound: SoundGiven,
}

impl Known {
    /// The same, and it reads the file that the option `key` names.
    #[must_use]
    pub fn reads(mut self, key: &'static str, path: &Path) -> Known {
        self.files.push(FileUse { key, path: path.to_owned(), access: Access::Read });
        self
    }

    /// The same, and it writes the file that the option `key` names.
    #[must_use]
    pub fn writes(mut self, key: &'static str, path: &Path) -> Known {
        self.files.push(FileUse { key, path: path.to_owned(), access: Access::Write });
        self
    }

    /// The same, and its output `name` gives `format`; the name is empty where there is one output.
    #[must_use]
    pub fn output(mut self, name: &'static str, format: Format) -> Known {
        self.outputs.push((name, format));
        self
    }

    /// The same, and this is the sound that it gives.
    #[must_use]
    pub fn gives(self, sound: SoundGiven) -> Known {
        Known { sound, ..self }
    }
}

/// A file that a stage uses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileUse {
    /// The option that names it.
    pub key: &'static str,
    /// Its path; `-` and the paths of [`is_standard_output`] mean the standard streams.
    pub path: PathBuf,
    /// What is done with it.
    pub access: Access,
}

/// What a stage does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads.
    Read,
    /// It writes, and replaces what was there.
    Write,
}

/// Whether a source that is given `path` reads standard input: `-`, or what a shell's redirection is called.
pub fn is_standard_input(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0"].iter().any(|name| path == Path::new(name))
}

/// Whether a sink that is given `path` writes to standard output: `-`, or what a shell's redirection is called.
pub fn is_standard_output(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1"].iter().any(|name| path == Path::new(name))
}

/// The rate and the channels of raw sound, as far as they are known before it flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    /// Samples per second and channel.
    pub rate: Option<u32>,
    /// How many channels.
    pub channels: Option<u16>,
}

impl Sound {
    /// What a stage gives that takes this and gives `given`.
    #[must_use]
    pub fn through(self, given: SoundGiven) -> Sound {
        Sound { rate: given.rate.of(self.rate), channels: given.channels.of(self.channels) }
    }
}

/// The raw sound that a stage gives. The default is that nothing is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoundGiven {
    /// Samples per second and channel.
    pub rate: Given<u32>,
    /// How many channels.
    pub channels: Given<u16>,
}

impl SoundGiven {
    /// As its only input.
    pub const AS_INPUT: SoundGiven = SoundGiven { rate: Given::AsInput, channels: Given::AsInput };

    /// Always this.
    pub const fn always(rate: u32, channels: u16) -> SoundGiven {
        SoundGiven { rate: Given::Is(rate), channels: Given::Is(channels) }
    }
}

/// One property of what a stage gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// Not known before it flows.
    #[default]
    Unknown,
    /// What its only input has.
    AsInput,
    /// This.
    Is(T),
}

impl<T> Given<T> {
    fn of(self, input: Option<T>) -> Option<T> {
        match self {
            Given::Unknown => None,
            Given::AsInput => input,
            Given::Is(value) => Some(value),
        }
    }
}

/// What raw sound an input can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundTaken {
    /// The rates in Hz. Sound at any other rate is best converted to the first. If there are none, any rate fits.
    pub rates: &'static [u32],
    /// The most channels.
    pub channels: u16,
}

impl SoundTaken {
    /// Whether `sound` fits, as far as it is known.
    pub fn takes(&self, sound: Sound) -> bool {
        self.nearest(sound) == sound
    }

    /// The sound nearest to `sound` that fits.
    pub fn nearest(&self, sound: Sound) -> Sound {
        let rate = sound.rate.map(|rate| match self.rates {
            [best, ..] if !self.rates.contains(&rate) => *best,
            _ => rate,
        });
        Sound { rate, channels: sound.channels.map(|channels| channels.min(self.channels)) }
    }

    /// What `sound` must become to be sure to fit: properties that are not known are fixed as well.
    pub fn surely(&self, sound: Sound) -> Sound {
        let Sound { rate, channels } = self.nearest(sound);
        Sound { rate: rate.or(self.rates.first().copied()), channels: channels.or(Some(self.channels)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_brought_to_the_first_rate_and_the_most_channels() {
        let taken = SoundTaken { rates: &[48_000, 16_000], channels: 2 };
        let sound = |rate, channels| Sound { rate, channels };
        assert!(taken.takes(sound(Some(16_000), Some(1))) && taken.takes(Sound::default()));
        assert_eq!(taken.nearest(sound(Some(44_100), Some(6))), sound(Some(48_000), Some(2)));
        assert_eq!(taken.nearest(sound(None, Some(3))), sound(None, Some(2)));
        assert_eq!(taken.surely(sound(None, Some(1))), sound(Some(48_000), Some(1)));
        assert_eq!(taken.surely(sound(Some(16_000), None)), sound(Some(16_000), Some(2)));
        let any = SoundTaken { rates: &[], channels: 8 };
        assert_eq!(any.surely(Sound::default()), sound(None, Some(8)));
        assert!(any.takes(sound(Some(7), Some(8))) && !any.takes(sound(Some(7), Some(9))));
    }

    #[test]
    fn what_a_stage_gives_follows_from_what_it_takes() {
        let taken = Sound { rate: Some(44_100), channels: None };
        assert_eq!(taken.through(SoundGiven::AS_INPUT), taken);
        let given = SoundGiven { rate: Given::Is(48_000), channels: Given::AsInput };
        assert_eq!(taken.through(given), Sound { rate: Some(48_000), channels: None });
        assert_eq!(taken.through(SoundGiven::default()), Sound::default());
    }
}
