//! What a frame costs on its way from the encoder's input to the packets in a sink, beside what others
//! take for the same; `script/bench` builds it, and the C beside it, and runs it.

mod allocations;
mod bare;
mod camera;
mod convert;
mod encode;
mod fanout;
mod instructions;
mod packetize;
mod pictures;
mod pipeline;
#[path = "../record/mod.rs"]
mod record;
mod rounds;

use std::process::ExitCode;

const HELP: &str = "\
script/bench convert | encode | packetize | pipeline | fanout-inside [--rounds N]
  Each subject takes its turn in each of N rounds (31 if not given), in an order that changes. Every value
  goes to docs/measurements/NAME.csv; `script/bench tables` makes the tables from it.
script/bench instructions [--accept]
  Counts instructions with valgrind and prints what has changed since docs/measurements/instructions.csv;
  --accept makes the new counts the baseline.";

fn main() -> ExitCode {
    // cargo adds a word of its own.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (name, rounds) = match words[..] {
        ["count", program, iterations] => {
            instructions::run(program, iterations.parse().expect("a number of iterations"));
            return ExitCode::SUCCESS;
        }
        ["instructions"] => return finished(instructions::compare(false)),
        ["instructions", "--accept"] => return finished(instructions::compare(true)),
        [name] => (name, Some(31)),
        [name, "--rounds", rounds] => (name, rounds.parse().ok()),
        _ => ("", None),
    };
    let Some(rounds) = rounds else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    finished(match name {
        "convert" => convert::measure(rounds),
        "encode" => encode::measure(rounds),
        "packetize" => packetize::measure(rounds),
        "pipeline" => pipeline::measure(rounds),
        "fanout-inside" => fanout::measure(rounds),
        _ => {
            println!("{HELP}");
            Ok(())
        }
    })
}

fn finished(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
