//! The tables between markers in `README.md` and `docs/`, made from the files of measurements.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::marker::{Column, Marker};
use super::rows::Measurements;
use super::statistics::{self, median, percentile};

/// What is generated.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) is: String,
    pub(crate) should_be: String,
}

/// Every page below `root` that has tables, as it is and as its measurements say.
pub(crate) fn pages(root: &Path) -> Result<Vec<Page>, String> {
    let mut paths = vec![root.join("README.md")];
    markdown(&root.join("docs"), &mut paths).map_err(|error| error.to_string())?;
    let mut pages = Vec::new();
    for path in paths {
        let is = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let shown = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        let read = |name: &str| {
            let file = Path::new("docs/measurements").join(name).with_extension("csv");
            Ok((Measurements::read(&root.join(&file))?, link(&shown, &file)))
        };
        let should_be = page(&is, read).map_err(|error| format!("{}:{error}", shown.display()))?;
        if is.contains("<!-- table ") {
            pages.push(Page { path, is, should_be });
        }
    }
    Ok(pages)
}

fn markdown(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.path());
    for path in entries.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            markdown(&path, into)?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            into.push(path);
        }
    }
    Ok(())
}

/// How a page at `from` links to `to`, both below the root.
fn link(from: &Path, to: &Path) -> String {
    let folder = from.parent().unwrap_or(Path::new(""));
    match to.strip_prefix(folder) {
        Ok(below) => below.display().to_string(),
        Err(_) => format!("{}{}", "../".repeat(folder.components().count()), to.display()),
    }
}

/// A page with its tables made anew; `read` gives the measurements of a name, and how the page links to them.
fn page(text: &str, read: impl Fn(&str) -> Result<(Measurements, String), String>) -> Result<String, String> {
    let mut page = String::new();
    let mut lines = text.lines().enumerate();
    let mut fenced = false;
    while let Some((number, line)) = lines.next() {
        let at = |error: String| format!("{}: {error}", number + 1);
        page += line;
        page += "\n";
        // What stands in a fence is shown to people, as in CONTRIBUTING.
        fenced ^= line.trim_start().starts_with("```");
        let Some(marker) = Marker::parse(line).filter(|_| !fenced) else { continue };
        let marker = marker.map_err(at)?;
        let (measurements, link) = read(&marker.name).map_err(at)?;
        page += &table(&marker, &measurements, &link).map_err(at)?;
        let end =
            lines.find(|(_, line)| Marker::closes(line)).ok_or_else(|| at("no `<!-- /table -->` below".into()))?;
        page += end.1;
        page += "\n";
    }
    Ok(page)
}

/// The table that `marker` asks for, with the line below it that says where it is from.
fn table(marker: &Marker, measurements: &Measurements, link: &str) -> Result<String, String> {
    let all = |asked: &[String], here: Vec<String>| {
        let missing = asked.iter().find(|name| !here.contains(name));
        match missing {
            Some(name) => Err(format!("`{name}` is not in {link}, which has {}", here.join(", "))),
            None => Ok(if asked.is_empty() { here } else { asked.to_vec() }),
        }
    };
    let cases = all(&marker.cases, measurements.names(|row| &row.case))?;
    let subjects = all(&marker.subjects, measurements.names(|row| &row.subject))?;
    let metrics: Vec<String> = marker.metrics.iter().map(|column| column.metric.clone()).collect();
    all(&metrics, measurements.names(|row| &row.metric))?;
    all(marker.baseline.as_slice(), measurements.names(|row| &row.subject))?;

    let mut head = vec![];
    if cases.len() > 1 {
        head.push("case".into());
    }
    head.push("subject".into());
    for column in &marker.metrics {
        head.push(title(column));
        if let (Some(baseline), None) = (&marker.baseline, column.percentile) {
            let of = spaced(baseline);
            head.extend(marker.ratio.then(|| format!("÷ {of}")));
            head.extend(marker.difference.then(|| format!("− {of}")));
        }
    }
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    let mut least = (usize::MAX, 1.0f64);
    for case in &cases {
        for subject in &subjects {
            let Some(figures) = figures(marker, measurements, case, subject, &mut least) else { continue };
            let names = if cases.len() > 1 { vec![spaced(case), spaced(subject)] } else { vec![spaced(subject)] };
            let _ = writeln!(text, "| {} |", names.into_iter().chain(figures).collect::<Vec<_>>().join(" | "));
        }
    }
    text += &source(marker, measurements, link, least);
    Ok(text)
}

/// The cells of one subject; none where it has not one value. Notes the fewest pairs, and how sure their median is.
fn figures(
    marker: &Marker,
    measurements: &Measurements,
    case: &str,
    subject: &str,
    least: &mut (usize, f64),
) -> Option<Vec<String>> {
    let mut cells = vec![];
    let mut any = false;
    for column in &marker.metrics {
        let values = measurements.values(case, subject, &column.metric);
        let mut plain: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        plain.sort_by(f64::total_cmp);
        any |= !plain.is_empty();
        cells.push(match (plain.is_empty(), column.percentile) {
            (true, _) => String::new(),
            (false, Some(percent)) => number(percentile(&plain, percent)),
            (false, None) => number(percentile(&plain, 50.0)),
        });
        let (Some(baseline), None) = (&marker.baseline, column.percentile) else { continue };
        let pairs = statistics::pairs(&values, &measurements.values(case, baseline, &column.metric));
        for (asked, how) in [(marker.ratio, compare_ratio as fn(_) -> _), (marker.difference, compare_difference)] {
            if !asked {
                continue;
            }
            let compared: Vec<f64> = pairs.iter().copied().map(how).collect();
            // Nothing compares with a baseline of zero.
            let shown = subject != baseline && compared.iter().all(|value| value.is_finite());
            cells.push(match median(&compared).filter(|_| shown) {
                Some(found) => {
                    if compared.len() < least.0 {
                        *least = (compared.len(), found.sure);
                    }
                    let interval = format!("{} to {}", number(found.low), number(found.high));
                    if compared.len() > 1 {
                        format!("{} ({interval})", number(found.median))
                    } else {
                        number(found.median)
                    }
                }
                None => String::new(),
            });
        }
    }
    any.then_some(cells)
}

fn compare_ratio((value, baseline): (f64, f64)) -> f64 {
    value / baseline
}

fn compare_difference((value, baseline): (f64, f64)) -> f64 {
    value - baseline
}

/// Where a table is from, what its brackets mean, and how to make it again.
fn source(marker: &Marker, measurements: &Measurements, link: &str, (pairs, sure): (usize, f64)) -> String {
    let fact = |key: &str| measurements.fact(key).unwrap_or("unknown");
    let mut text = format!("\n[{}.csv]({link}), by `{}` on {}", marker.name, fact("command"), fact("date"));
    let _ = write!(text, ", commit {}; {}; load before it {}.", fact("commit"), fact("machine"), fact("load"));
    let medians = marker.metrics.iter().any(|column| column.percentile.is_none());
    if medians && measurements.names(|row| &row.metric).len() < measurements.rows.len() {
        text += " Medians";
        if pairs > 1 && pairs < usize::MAX {
            let _ = write!(text, "; compared round by round, in brackets where the median of {pairs} rounds lies");
            let _ = write!(text, " with {} % certainty", (sure * 1000.0).round() / 10.0);
        }
        text += ".";
    }
    text + "\n"
}

fn title(column: &Column) -> String {
    let name = spaced(&column.metric);
    let name = name.strip_suffix(" us").map_or(name.clone(), |what| format!("{what} µs"));
    match column.percentile {
        None | Some(50.0) => name,
        Some(percent) => format!("{name}, p{percent}"),
    }
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// Three digits that count; whole numbers above a thousand, in groups of three.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 999.5 {
        let digits = format!("{size:.0}");
        let grouped: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|part| str::from_utf8(part).unwrap()).collect();
        return format!("{}{}", if value < 0.0 { "−" } else { "" }, grouped.join(","));
    }
    let places = if size >= 99.95 || value == value.trunc() {
        0
    } else if size >= 9.995 {
        1
    } else if size >= 0.0995 {
        2
    } else {
        3
    };
    format!("{value:.places$}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "# command: script/bench latency\n# date: 2026-11-22\n# commit: abc\n# machine: fast\n\
        # load: 0\nround,case,subject,metric,value\n\
        1,720p,ours,p50_ms,16\n1,720p,rival,p50_ms,20\n2,720p,ours,p50_ms,17\n2,720p,rival,p50_ms,21\n\
        3,720p,ours,p50_ms,15\n3,720p,rival,p50_ms,25\n";

    fn made(text: &str) -> Result<String, String> {
        page(text, |name| match name {
            "latency" => Ok((Measurements::parse(ROWS)?, "latency.csv".into())),
            _ => Err(format!("{name}.csv: not found")),
        })
    }

    #[test]
    fn a_table_stands_between_its_markers_whatever_stood_there() {
        let text = "before\n<!-- table latency: baseline=rival metrics=p50_ms,p50_ms:p100 -->\n| wrong |\n\
            <!-- /table -->\nafter\n";
        let page = made(text).unwrap();
        assert_eq!(
            page,
            "before\n<!-- table latency: baseline=rival metrics=p50_ms,p50_ms:p100 -->\n\
            | subject | p50 ms | ÷ rival | p50 ms, p100 |\n|---|---|---|---|\n\
            | ours | 16 | 0.80 (0.60 to 0.81) | 17 |\n| rival | 21 |  | 25 |\n\n\
            [latency.csv](latency.csv), by `script/bench latency` on 2026-11-22, commit abc; fast; load before it 0. \
            Medians; compared round by round, in brackets where the median of 3 rounds lies with 75 % certainty.\n\
            <!-- /table -->\nafter\n"
        );
        assert_eq!(made(&page).unwrap(), page);
    }

    #[test]
    fn what_cannot_be_shown_is_named_with_its_line() {
        for (marker, error) in [
            ("latency: metrics=p99_ms", "2: `p99_ms` is not in latency.csv, which has p50_ms"),
            ("latency: metrics=p50_ms baseline=pion", "2: `pion` is not in latency.csv, which has ours, rival"),
            ("other: metrics=p50_ms", "2: other.csv: not found"),
        ] {
            let text = format!("\n<!-- table {marker} -->\n<!-- /table -->\n");
            assert_eq!(made(&text).unwrap_err(), error);
        }
        let open = made("<!-- table latency: metrics=p50_ms -->\n").unwrap_err();
        assert_eq!(open, "1: no `<!-- /table -->` below");
    }

    #[test]
    fn nothing_is_compared_with_zero_or_where_a_percentile_is_asked_for() {
        let rows = "1,c,ours,allocations_us,2\n1,c,rival,allocations_us,0\n";
        let text = "<!-- table a: baseline=rival metrics=allocations_us,allocations_us:p50 -->\n<!-- /table -->\n";
        let page = page(text, |_| Ok((Measurements::parse(rows)?, "a.csv".into()))).unwrap();
        assert!(page.contains("| subject | allocations µs | ÷ rival | allocations µs |"), "{page}");
        assert!(page.contains("| ours | 2 |  | 2 |"), "{page}");
    }

    #[test]
    fn a_marker_in_a_fence_is_only_shown() {
        let text = "```text\n<!-- table latency: metrics=p50_ms -->\n```\n";
        assert_eq!(made(text).unwrap(), text);
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let shown = [0.01234, 0.5, 2.0, 12.345, 99.96, 123.4, 7123.4, 1_234_567.0, -3.21].map(number);
        assert_eq!(shown, ["0.012", "0.50", "2", "12.3", "100", "123", "7,123", "1,234,567", "−3.21"]);
    }

    #[test]
    fn links_lead_from_the_page_to_the_file() {
        let file = Path::new("docs/measurements/a.csv");
        assert_eq!(link(Path::new("README.md"), file), "docs/measurements/a.csv");
        assert_eq!(link(Path::new("docs/measurements/b.md"), file), "a.csv");
        assert_eq!(link(Path::new("docs/page/b.md"), file), "../../docs/measurements/a.csv");
    }
}
