//! The demo in a process of its own, which can be stopped, continued and killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The demo in a process of its own; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Runs the demo on a free port, with `sets`.
    pub(crate) fn start(sets: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "pipelines/demo.toml"]);
        for set in ["page.bind=127.0.0.1:0"].iter().chain(sets) {
            command.args(["--set", set]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command is built");
        let (sender, lines) = std::sync::mpsc::channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for output in outputs {
            let sender = sender.clone();
            // Reads on to the end, so that the command never waits for a full pipe.
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        drop(sender);
        let address = lines.iter().find_map(|line| {
            let start = line.find("http")?;
            Some(line[start..].split_whitespace().next()?.to_owned())
        });
        Server { child, address: address.expect("it prints where its page is") }
    }

    /// Where its page is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "kill -{name}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
