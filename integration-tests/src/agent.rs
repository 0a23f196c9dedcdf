// SPDX-License-Identifier: Apache-2.0
//! The real `podwired`, run in a node.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::beginning::PATIENCE;
use crate::binaries;
use crate::execution::Outcome;
use crate::place::Place;
use crate::program::{Ended, Program};

/// Where it writes its state unless it is told otherwise.
const STATE: &str = "/run/podwire/overlay.json";

/// A running agent: a [`Program`] with a state file. It is killed when it is dropped.
#[derive(Debug)]
pub struct Agent {
    node: Place,
    program: Program,
    state: PathBuf,
}

impl Agent {
    /// Starts `podwired run` with `args` in a node.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn start(node: &Place, args: &[&str]) -> Self {
        Self::with_stderr(node, args, Stdio::piped())
    }

    /// As [`Agent::start`], but whatever it says cannot be written: the device is full.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn unheard(node: &Place, args: &[&str]) -> Self {
        let full = File::options().write(true).open("/dev/full");
        Self::with_stderr(node, args, full.expect("Linux has /dev/full").into())
    }

    fn with_stderr(node: &Place, args: &[&str], stderr: Stdio) -> Self {
        let mut command = Command::new(program());
        command.arg("run").args(args).env_remove("NOTIFY_SOCKET");
        Self {
            node: node.clone(),
            program: Program::with_stderr(node, &mut command, stderr),
            state: state_file(args),
        }
    }

    /// As [`Agent::start`], and waits until its state says that the overlay has converged.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn converged(node: &Place, args: &[&str]) -> Self {
        let agent = Self::start(node, args);
        agent.wait_for_state("converged", PATIENCE, |state| state["converged"] == true);
        agent
    }

    /// The state that it has written; none if there is no file.
    ///
    /// # Panics
    /// When the file is not JSON.
    pub fn state(&self) -> Option<Value> {
        let text = self
            .node
            .run(|| std::fs::read_to_string(&self.state))
            .ok()?;
        let state = serde_json::from_str(&text);
        Some(state.unwrap_or_else(|error| panic!("{}: {error}: {text}", self.state.display())))
    }

    /// Waits for a state that `wanted` wants, and returns it.
    ///
    /// # Panics
    /// When there is none within `limit`; `what` says what was waited for.
    pub fn wait_for_state(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut state = None;
        let seen = self.node.file_eventually(&self.state, limit, || {
            state = self.state();
            state.as_ref().is_some_and(&wanted)
        });
        let log = self.log();
        assert!(seen, "not {what}: {state:?}\n{log}");
        state.expect("a state was wanted")
    }

    /// Ends it as a service manager does, by SIGTERM, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(self) -> Ended {
        self.program.terminate()
    }

    /// Ends it by SIGKILL.
    pub fn kill(self) -> Ended {
        self.program.kill()
    }

    /// Waits for its end, for example after a refusal.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(self) -> Ended {
        self.program.wait()
    }

    /// What `podwired status --json` says in this node.
    ///
    /// # Panics
    /// When it prints no JSON.
    pub fn status(&self) -> Value {
        let state = self.state.display().to_string();
        podwired(&self.node, &["status", "--json", "--state", &state]).json()
    }
}

impl Deref for Agent {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// Runs `podwired` with `args` in a node to its end.
pub fn podwired(node: &Place, args: &[&str]) -> Outcome {
    node.output(Command::new(program()).args(args))
}

/// The value of `--state`, or the file that is written without it.
fn state_file(args: &[&str]) -> PathBuf {
    let mut args = args.iter().skip_while(|arg| **arg != "--state");
    Path::new(args.nth(1).copied().unwrap_or(STATE)).to_owned()
}

fn program() -> PathBuf {
    binaries::plugins().join("podwired")
}
