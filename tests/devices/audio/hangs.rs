//! What a sound server that hangs does: it takes connections and answers nobody, as if it were stopped by a signal.

use std::time::Duration;

use millstream::core::Clock;
use millstream::cpal::{Speaker, speaker};
use millstream_testkit::sound;

use super::faults::{Everything, VOICE, recovers};
use super::heard::{pass, until};
use crate::program::{Folder, Program, figure, turn};

const PIPELINE: &str = r#"
name = "hangs"

[stage.microphone]
type = "microphone"

[stage.drops]
type = "null"
input = "microphone"

[stage.tone]
type = "test-audio"

[stage.speaker]
type = "speaker"
input = "tone"
latency = "100 ms"
"#;
/// A stream may be silent for as long at first without being lost, and a little.
const SETTLES: Duration = Duration::from_secs(4);
/// How long the server hangs.
const HANGS: Duration = Duration::from_secs(3);

#[test]
fn a_server_that_hangs_is_a_loss_and_when_it_goes_on_both_are_back() {
    sound::with_server(|mut server| {
        server.say(VOICE);
        let all = Everything::start();
        all.until_played(&server);
        recovers("microphone and speaker, after the server went on", || {
            pass(&all.running, SETTLES);
            let before = all.lost();
            server.hang();
            until(&all.running, "both are lost", || {
                let now = all.lost();
                now.0 > before.0 && now.1 > before.1
            });
            let count = all.blocks.count();
            pass(&all.running, HANGS);
            assert_eq!(all.blocks.count(), count, "nothing is made up");
            server.go_on();
            let back = all.running.clock().now();
            let recorded = all.until_recorded(count).since(back);
            let played = all.until_played(&server).since(back);
            eprintln!("recorded {recorded:?} and heard to play {played:?} after the server went on");
            assert_eq!(all.lost(), (before.0 + 1, before.1 + 1), "each loss is counted once");
            recorded.max(played)
        });
        all.pictures_are_unaffected();
    });
}

#[test]
fn a_pipeline_ends_while_the_server_hangs_noticed_or_not() {
    let _turn = turn();
    sound::with_server(|mut server| {
        server.say(VOICE);
        for noticed in [true, false] {
            let folder = Folder::new("hangs");
            let mut program = Program::start(&folder, PIPELINE, &[], |_| {});
            // Both have to be past their first seconds.
            program.run_for(SETTLES);
            server.hang();
            if noticed {
                program.says("nothing was heard of it");
                program.says("nothing was heard of it");
                program.says("the sound server does not answer; restart it");
            }
            program.stop();
            server.go_on();
        }
    });
}

#[test]
fn a_loss_and_a_return_are_said_once_each_and_counted_where_statistics_are() {
    let _turn = turn();
    sound::with_server(|mut server| {
        server.say(VOICE);
        let folder = Folder::new("told");
        let mut program = Program::start(&folder, PIPELINE, &[], |_| {});
        program.run_for(SETTLES);
        server.hang();
        program.says("nothing was heard of it");
        program.says("nothing was heard of it");
        server.go_on();
        program.says(", is back");
        program.says(", is back");
        let (statistics, said) = program.stop();
        for stage in ["microphone", "speaker"] {
            for words in ["nothing was heard of it", ", is back"] {
                let lines = said.iter().filter(|line| line.text.contains(stage) && line.text.contains(words));
                let lines: Vec<_> = lines.collect();
                assert!(lines.len() == 1 && lines[0].text.contains("WARN"), "{stage} {words}: {said:#?}");
            }
        }
        assert_eq!(figure(&statistics, "microphone", "lost"), 1, "{statistics:#}");
        assert_eq!(figure(&statistics, "speaker", "bad_items"), 1, "{statistics:#}");
    });
}

#[test]
fn a_server_that_hangs_is_not_opened_and_the_words_say_what_to_restart() {
    sound::with_server(|server| {
        server.hang();
        let error = Speaker::open("speaker", speaker::Options::default(), &Clock::system()).err();
        let words = error.expect("nobody answers").to_string();
        assert!(words.contains("the sound server does not answer; restart it"), "{words}");
        server.go_on();
        Speaker::open("speaker", speaker::Options::default(), &Clock::system()).unwrap();
    });
}
