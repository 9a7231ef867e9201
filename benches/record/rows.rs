//! A file of measurements, read: what is said of all of it, and its rows.

use std::path::Path;

/// The line above the rows.
pub(crate) const HEADER: &str = "round,case,subject,metric,value";

/// A file of measurements.
#[derive(Debug, Default)]
pub(crate) struct Measurements {
    facts: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
}

/// One raw value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) round: u32,
    pub(crate) case: String,
    pub(crate) subject: String,
    pub(crate) metric: String,
    pub(crate) value: f64,
}

impl Measurements {
    /// Reads a file; says what is wrong in which line.
    pub(crate) fn read(path: &Path) -> Result<Measurements, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Measurements::parse(&text).map_err(|error| format!("{}:{error}", path.display()))
    }

    /// Reads what stands in a file.
    pub(crate) fn parse(text: &str) -> Result<Measurements, String> {
        let mut read = Measurements::default();
        for (number, line) in text.lines().enumerate() {
            if let Some(fact) = line.strip_prefix("# ") {
                let (key, value) = fact.split_once(": ").unwrap_or((fact.trim_end_matches(':'), ""));
                read.facts.push((key.into(), value.into()));
            } else if line != HEADER {
                read.rows.push(row(line).ok_or_else(|| format!("{}: not `{HEADER}`: {line}", number + 1))?);
            }
        }
        Ok(read)
    }

    /// What is said of all rows under `key`.
    pub(crate) fn fact(&self, key: &str) -> Option<&str> {
        self.facts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The distinct names that `of` takes from the rows, in the order of the file.
    pub(crate) fn names(&self, of: impl Fn(&Row) -> &str) -> Vec<String> {
        let mut names = Vec::<String>::new();
        for name in self.rows.iter().map(of) {
            if !names.iter().any(|known| known == name) {
                names.push(name.into());
            }
        }
        names
    }

    /// The values of one subject: with the round each came from.
    pub(crate) fn values(&self, case: &str, subject: &str, metric: &str) -> Vec<(u32, f64)> {
        let of = |row: &&Row| row.case == case && row.subject == subject && row.metric == metric;
        self.rows.iter().filter(of).map(|row| (row.round, row.value)).collect()
    }
}

fn row(line: &str) -> Option<Row> {
    let mut parts = line.split(',');
    let row = Row {
        round: parts.next()?.parse().ok()?,
        case: parts.next()?.into(),
        subject: parts.next()?.into(),
        metric: parts.next()?.into(),
        value: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_row_is_named() {
        let error = Measurements::parse("# date: today\nround,case,subject,metric,value\n1,a,b,c\n").unwrap_err();
        assert_eq!(error, "3: not `round,case,subject,metric,value`: 1,a,b,c");
    }

    #[test]
    fn names_come_in_the_order_of_the_file() {
        let read = Measurements::parse("1,b,x,m,1\n1,a,x,m,2\n2,b,x,m,3\n").unwrap();
        assert_eq!(read.names(|row| &row.case), ["b", "a"]);
        assert_eq!(read.values("b", "x", "m"), [(1, 1.0), (2, 3.0)]);
    }
}
