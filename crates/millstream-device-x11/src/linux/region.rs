//! A part of a screen, written as X programs write a geometry: `1280x720+100+50`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A part of a screen in pixels. Neither side is 0, and it lies within what X can say in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// From the left edge.
    pub(crate) x: u16,
    /// From the upper edge.
    pub(crate) y: u16,
    /// Columns.
    pub(crate) width: u16,
    /// Rows.
    pub(crate) height: u16,
}

/// What X coordinates, which are signed, can reach.
const MOST: u16 = i16::MAX as u16;

impl Region {
    /// All of something of this size, 1x1 at least.
    pub(crate) fn whole((width, height): (u16, u16)) -> Region {
        Region { x: 0, y: 0, width: width.clamp(1, MOST), height: height.clamp(1, MOST) }
    }

    /// Pixels in a row, and rows.
    pub fn size(&self) -> (u32, u32) {
        (self.width.into(), self.height.into())
    }

    /// `inner`, counted from this one's corner, counted from where this one is counted from; `None`
    /// if it is not within this one.
    pub(crate) fn part(&self, inner: Region) -> Option<Region> {
        let fits = |start: u16, length: u16, whole: u16| u32::from(start) + u32::from(length) <= u32::from(whole);
        let within = fits(inner.x, inner.width, self.width) && fits(inner.y, inner.height, self.height);
        within.then_some(Region { x: self.x + inner.x, y: self.y + inner.y, ..inner })
    }
}

impl FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> Result<Region, String> {
        let parsed = || {
            let (size, place) = text.trim().split_once('+').unwrap_or((text.trim(), "0+0"));
            let ((width, height), (x, y)) = (size.split_once('x')?, place.split_once('+')?);
            let number = |text: &str| text.parse::<u16>().ok();
            let (x, y, width, height) = (number(x)?, number(y)?, number(width)?, number(height)?);
            let reaches = x.checked_add(width)? <= MOST && y.checked_add(height)? <= MOST;
            (reaches && width > 0 && height > 0).then_some(Region { x, y, width, height })
        };
        parsed().ok_or_else(|| {
            format!("expected a region such as \"1280x720+100+50\" (width x height + left + top), found \"{text}\"")
        })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}+{}+{}", self.width, self.height, self.x, self.y)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Region, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Region {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Region".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "a region: \"1280x720+100+50\"" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometry_is_read_as_it_is_written() {
        let region: Region = "1280x720+100+50".parse().unwrap();
        assert_eq!((region.size(), region.x, region.y), ((1280, 720), 100, 50));
        assert_eq!(region.to_string(), "1280x720+100+50");
        assert_eq!("640x480".parse::<Region>().unwrap().to_string(), "640x480+0+0");
        for wrong in
            ["", "1280", "1280x720+100", "0x720+0+0", "1280x720-5+5", "1280X720", "32767x1+1+0", "70000x1", "axb+c+d"]
        {
            let words = wrong.parse::<Region>().unwrap_err();
            assert!(words.contains("1280x720+100+50") && words.contains(wrong), "{words}");
        }
    }

    #[test]
    fn a_part_lies_within_the_whole() {
        let monitor: Region = "800x600+1920+10".parse().unwrap();
        let part = |inner: &str| monitor.part(inner.parse().unwrap()).map(|part| part.to_string());
        assert_eq!(part("100x50+5+6").as_deref(), Some("100x50+1925+16"));
        assert_eq!(part("800x600").as_deref(), Some("800x600+1920+10"));
        assert_eq!(part("800x600+1+0"), None);
        assert_eq!(part("1x1+0+600"), None);
    }
}
