//! What a table is asked to show: the words of a marker in a Markdown file.
//!
//! ```text
//! <!-- table latency: baseline=gstreamer metrics=p50_ms,p95_ms -->
//! <!-- /table -->
//! ```
//! Between the two stands what `script/bench tables` makes of `docs/measurements/latency.csv`:
//!
//! | key | |
//! |---|---|
//! | `metrics` | the columns. `join_ms:p95` is the 95th percentile of all values, and not compared; `:p50` the median, not compared |
//! | `cases`, `subjects` | only these, in this order; all of the file by default |
//! | `baseline` | the subject that the others are compared with, round by round |
//! | `show` | how: `ratio` (default), `difference`, `both` |

/// A table that is asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Marker {
    /// The file of measurements, without its ending.
    pub(crate) name: String,
    pub(crate) metrics: Vec<Column>,
    pub(crate) cases: Vec<String>,
    pub(crate) subjects: Vec<String>,
    pub(crate) baseline: Option<String>,
    pub(crate) ratio: bool,
    pub(crate) difference: bool,
}

/// A metric, and what of its values.
#[derive(Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) metric: String,
    /// A percentile of all values; else the median, which is compared with the baseline's.
    pub(crate) percentile: Option<f64>,
}

impl Marker {
    /// Reads a line that opens a table; none where a line does not.
    pub(crate) fn parse(line: &str) -> Option<Result<Marker, String>> {
        let words = line.trim().strip_prefix("<!-- table ")?;
        Some(match words.strip_suffix("-->") {
            Some(words) => read(words.trim()),
            None => Err("a marker ends in `-->` on its line".into()),
        })
    }

    /// Whether a line closes a table.
    pub(crate) fn closes(line: &str) -> bool {
        line.trim() == "<!-- /table -->"
    }
}

/// Whether it can stand in a marker and in a row.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains([' ', ',', '\n', '|', ':'])
}

fn read(words: &str) -> Result<Marker, String> {
    let (name, rest) = words.split_once(':').ok_or("a marker is `table NAME: metrics=…`")?;
    let mut marker = Marker {
        name: name.into(),
        metrics: vec![],
        cases: vec![],
        subjects: vec![],
        baseline: None,
        ratio: true,
        difference: false,
    };
    for word in rest.split_whitespace() {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not `key=value`"))?;
        let names = || value.split(',').map(String::from).collect::<Vec<_>>();
        match key {
            "metrics" => marker.metrics = value.split(',').map(column).collect::<Result<_, _>>()?,
            "cases" => marker.cases = names(),
            "subjects" => marker.subjects = names(),
            "baseline" => marker.baseline = Some(value.into()),
            "show" => {
                (marker.ratio, marker.difference) = match value {
                    "ratio" => (true, false),
                    "difference" => (false, true),
                    "both" => (true, true),
                    _ => return Err(format!("`show` is ratio, difference or both, not `{value}`")),
                };
            }
            _ => return Err(format!("a table has no `{key}`; it has metrics, cases, subjects, baseline and show")),
        }
    }
    if marker.metrics.is_empty() { Err("a table shows `metrics=…`".into()) } else { Ok(marker) }
}

fn column(word: &str) -> Result<Column, String> {
    let Some((metric, percentile)) = word.split_once(":p") else {
        return Ok(Column { metric: word.into(), percentile: None });
    };
    let percentile = percentile.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    let percentile = percentile.ok_or_else(|| format!("`{word}` is not `metric:p95`"))?;
    Ok(Column { metric: metric.into(), percentile: Some(percentile) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_says_what_to_show() {
        let line = "<!-- table latency: baseline=gstreamer metrics=p50_ms,join_ms:p95 show=both cases=720p,360p -->";
        let marker = Marker::parse(line).unwrap().unwrap();
        assert_eq!((marker.name.as_str(), marker.baseline.as_deref()), ("latency", Some("gstreamer")));
        assert_eq!(marker.metrics[0], Column { metric: "p50_ms".into(), percentile: None });
        assert_eq!(marker.metrics[1], Column { metric: "join_ms".into(), percentile: Some(95.0) });
        assert_eq!(marker.cases, ["720p", "360p"]);
        assert!(marker.ratio && marker.difference);
        assert!(Marker::closes("<!-- /table -->"));
    }

    #[test]
    fn other_lines_are_no_markers() {
        for line in ["", "| a | b |", "<!-- /table -->", "<!-- tables -->"] {
            assert_eq!(Marker::parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_wrong_marker_says_what_is_wrong() {
        for (line, word) in [
            ("<!-- table a: metrics=b", "-->"),
            ("<!-- table a -->", "NAME"),
            ("<!-- table a: -->", "metrics"),
            ("<!-- table a: metrics=b base=c -->", "base"),
            ("<!-- table a: metrics=b show=all -->", "all"),
            ("<!-- table a: metrics=b:px -->", "b:px"),
            ("<!-- table a: metrics -->", "key=value"),
        ] {
            let error = Marker::parse(line).expect("a marker").unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
