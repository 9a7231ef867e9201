//! What is left of a soak: a page and the rows behind it.

use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use crate::args::Args;
use crate::sample::Row;
use crate::tally::Counts;
use crate::verdict::{Memory, warm};

/// Seconds of one line in the table.
const STEP: f64 = 300.0;

pub(crate) struct Report {
    empty: Row,
    /// The last one is from after everybody was gone.
    rows: Vec<Row>,
    emptied: Option<Duration>,
    counts: Counts,
    decoder_errors: u64,
    /// Items that the program's links dropped.
    dropped: u64,
    /// Why it ended early, if it did.
    broken: Option<String>,
}

impl Report {
    pub(crate) fn new(
        empty: Row,
        rows: Vec<Row>,
        emptied: Option<Duration>,
        counts: Counts,
        decoder_errors: u64,
        statistics: serde_json::Value,
        broken: Option<String>,
    ) -> Report {
        Report { empty, rows, emptied, counts, decoder_errors, dropped: dropped(&statistics), broken }
    }

    /// What went wrong, in words; nothing if all is well.
    fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.broken.iter().cloned().collect();
        let mut check = |bad: bool, words: String| {
            if bad {
                failures.push(words);
            }
        };
        let (memory, last, counts) = (Memory::of(self.watched()), self.last(), &self.counts);
        let threads = |rows: &[Row]| rows.iter().map(|row| row.usage.threads).max().unwrap_or(0);
        let early = threads(&self.watched()[..self.watched().len() / 5]);
        let late = threads(warm(self.watched()));
        check(memory.grew(), format!("memory grew: {}", self.memory()));
        check(early > 0 && late > early, format!("threads grew from {early} to {late}"));
        check(counts.undecodable > 0, format!("{} frames were undecodable", counts.undecodable));
        check(self.decoder_errors > 0, format!("the decoder complained {} times", self.decoder_errors));
        check(counts.frames == 0, "nobody saw anything".to_owned());
        check(counts.interrupted > 0, format!("steady viewers were interrupted {} times", counts.interrupted));
        check(counts.refused > 0, format!("{} joins were refused or without a picture", counts.refused));
        check(self.emptied.is_none(), format!("{} viewers are left though all are gone", last.viewers));
        check(
            last.usage.descriptors > self.empty.usage.descriptors,
            format!(
                "{} descriptors are open, {} were before the first viewer",
                last.usage.descriptors, self.empty.usage.descriptors
            ),
        );
        failures
    }

    /// Everything while there were viewers.
    fn watched(&self) -> &[Row] {
        &self.rows[1.min(self.rows.len() - 1)..(self.rows.len() - 1).max(1)]
    }

    fn last(&self) -> Row {
        self.rows.last().copied().unwrap_or_default()
    }

    fn memory(&self) -> String {
        let Memory { first, last, rise, sigma } = Memory::of(self.watched());
        format!(
            "{:.1} MiB after the warm-up, {:.1} MiB at the end; the line through the second half rises by {:.2} ± {:.2} MiB",
            first / 1024.0,
            last / 1024.0,
            rise / 1024.0,
            2.0 * sigma / 1024.0
        )
    }

    /// One line for the terminal.
    pub(crate) fn conclusion(&self) -> String {
        match self.failures() {
            none if none.is_empty() => format!("All is well. Memory: {}.", self.memory()),
            failures => format!("NOT well: {}.", failures.join("; ")),
        }
    }

    /// Writes both files; whether all is well.
    pub(crate) fn write(&self, args: &Args) -> bool {
        let csv = self.rows.iter().fold(format!("{}\n", Row::COLUMNS), |text, row| text + &row.csv() + "\n");
        for (path, text) in [(args.rows(), csv), (args.report(), self.page(args))] {
            if let Err(error) = std::fs::write(&path, text) {
                eprintln!("soak: {} cannot be written: {error}", path.display());
                return false;
            }
        }
        self.failures().is_empty()
    }

    fn page(&self, args: &Args) -> String {
        let (counts, last) = (&self.counts, self.last());
        let mut page = String::from("# Soak\n```sh\n");
        let _ =
            writeln!(page, "script/soak viewers --for {} --seed {}\n```", args.length().replace(' ', ""), args.seed);
        let _ = writeln!(page, "{}\n", machine());
        let _ = writeln!(
            page,
            "`pipelines/demo.toml` at 640x360 in a process of its own. Two steady viewers, the frames of one decoded by \
             ffmpeg; a crowd of up to ten that stay 15 s on average, a third of whom vanish without a word; one that \
             stops for seconds at a time, and for 20 s now and then; one that floods with 100 PLIs per second, garbage \
             datagrams and garbage requests. Every ten seconds a row: `soak.csv`.\n"
        );
        let _ = writeln!(page, "**{}**\n", self.conclusion());
        let _ = writeln!(page, "| | |\n|---|---|");
        let seconds = self.watched().last().map_or(0.0, |row| row.seconds);
        let mut line = |what: &str, value: String| {
            let _ = writeln!(page, "| {what} | {value} |");
        };
        line("length", format!("{seconds:.0} s"));
        line("joins; left, vanished, refused", {
            format!("{}; {}, {}, {}", counts.joined, counts.left, counts.vanished, counts.refused)
        });
        line("PLIs in floods; garbage datagrams and requests", format!("{}; {}", counts.plis, counts.garbage));
        line("frames seen, by all viewers", counts.frames.to_string());
        line("undecodable; ffmpeg's complaints", format!("{}; {}", counts.undecodable, self.decoder_errors));
        line("packets lost; frames skipped after that (slow viewer)", format!("{}; {}", counts.lost, counts.skipped));
        line("the steady viewers: frames, key frames, packets lost", {
            format!("{}, {}, {}", counts.steady_frames, counts.steady_key_frames, counts.steady_lost)
        });
        line("their longest gap", {
            let longest = self.watched().iter().map(|row| row.counts.longest_gap).max().unwrap_or_default();
            format!("{:.0} ms", longest.as_secs_f64() * 1e3)
        });
        line("interrupted", counts.interrupted.to_string());
        line("memory", self.memory());
        line("threads before, at most, after", {
            let most = self.rows.iter().map(|row| row.usage.threads).max().unwrap_or(0);
            format!("{}, {most}, {}", self.empty.usage.threads, last.usage.threads)
        });
        line("descriptors before, at most, after", {
            let most = self.rows.iter().map(|row| row.usage.descriptors).max().unwrap_or(0);
            format!("{}, {most}, {}", self.empty.usage.descriptors, last.usage.descriptors)
        });
        line(
            "after all vanished, the page had no viewer within",
            match self.emptied {
                Some(time) => format!("{:.1} s", time.as_secs_f64()),
                None => "never".to_owned(),
            },
        );
        line("items dropped by the program's links", self.dropped.to_string());
        page += "\nMemory has grown if, after a warm-up of a fifth of the time, the line of least squares through the \
                 second half rises by more than 2 MiB beyond twice its standard error, or the median of the last tenth \
                 is more than a tenth and 2 MiB above that of the first.\n\n";
        page += &self.table();
        page
    }

    fn table(&self) -> String {
        let mut table = String::from(
            "| until | viewers | RSS, mean | RSS, most | threads | descriptors, most | CPU | joins | frames | key frames | longest gap |\n\
             |---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        let (mut rows, mut before) = (self.watched(), self.empty);
        while let (Some(first), Some(_)) = (rows.first(), rows.last()) {
            let until = ((first.seconds / STEP).floor() + 1.0) * STEP;
            let count = rows.iter().take_while(|row| row.seconds < until).count().max(1);
            let (step, rest) = rows.split_at(count);
            let last = step[count - 1];
            let mean = |of: fn(&Row) -> f64| step.iter().map(of).sum::<f64>() / count as f64;
            let most = |of: fn(&Row) -> f64| step.iter().map(of).fold(0.0, f64::max);
            let busy = (last.usage.ticks - before.usage.ticks) as f64 / (last.seconds - before.seconds).max(1.0);
            let _ = writeln!(
                table,
                "| {:.0} s | {:.1} | {:.1} MiB | {:.1} MiB | {} | {} | {busy:.0} % | {} | {} | {} | {:.0} ms |",
                last.seconds,
                mean(|row| row.viewers as f64),
                mean(|row| row.usage.rss as f64) / 1024.0,
                most(|row| row.usage.rss as f64) / 1024.0,
                most(|row| row.usage.threads as f64),
                most(|row| row.usage.descriptors as f64),
                last.counts.joined - before.counts.joined,
                last.counts.frames - before.counts.frames,
                last.counts.steady_key_frames - before.counts.steady_key_frames,
                most(|row| row.counts.longest_gap.as_secs_f64() * 1e3),
            );
            (rows, before) = (rest, last);
        }
        table
    }
}

/// What the program's links dropped, all together.
fn dropped(statistics: &serde_json::Value) -> u64 {
    let links = statistics["links"].as_array().map_or(&[][..], Vec::as_slice);
    let counts = links.iter().filter_map(|link| link["dropped"].as_object());
    counts.flat_map(|reasons| reasons.values()).filter_map(serde_json::Value::as_u64).sum()
}

/// Where and of what this was measured.
fn machine() -> String {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("").to_owned());
        text.filter(|text| !text.is_empty()).unwrap_or_else(|| format!("{program}: unknown"))
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |pair| pair.1);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{model}, {cores} cores; {}; {}; {}; {} profile; commit {}, {}",
        said("uname", &["-sr"]),
        said("rustc", &["--version"]),
        said("ffmpeg", &["-version"]).split(" Copyright").next().unwrap_or_default(),
        if cfg!(debug_assertions) { "dev (opt-level 2)" } else { "release" },
        said("git", &["rev-parse", "--short", "HEAD"]),
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
    )
}
