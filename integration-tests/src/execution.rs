// SPDX-License-Identifier: Apache-2.0
//! One execution of one plugin, as a runtime does it: the CNI variables in the environment, the
//! configuration on standard input, the answer on standard output.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, chdir, chroot};
use serde_json::Value;

use crate::place::Place;

/// No program of a test takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A plugin's environment and standard input; start with [`Execution::new`], then [`Execution::run`].
#[derive(Clone, Debug)]
pub struct Execution {
    program: PathBuf,
    env: BTreeMap<String, String>,
    stdin: Vec<u8>,
}

impl Execution {
    /// An execution of the program at `program` with no CNI variable set and nothing on standard
    /// input. Of the test's own environment it gets PATH alone.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        let env = BTreeMap::from([("PATH".to_owned(), path)]);
        Self {
            program: program.into(),
            env,
            stdin: Vec::new(),
        }
    }

    /// Sets one variable, for example `CNI_COMMAND`.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// Takes one variable out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// What the plugin reads: a configuration, or any bytes that a test likes.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Executes the plugin in a place and waits for its end.
    pub fn run(&self, place: &Place) -> Outcome {
        place.run(|| self.run_here())
    }

    /// As [`Execution::run`], where the calling thread is.
    pub fn run_here(&self) -> Outcome {
        let mut command = Command::new(&self.program);
        finish(command.env_clear().envs(&self.env), &self.stdin)
    }

    /// As [`Execution::run`], with a directory of that place as the root of the file system.
    pub fn run_in_root(&self, place: &Place, root: &Path) -> Outcome {
        place.run(|| {
            chroot(root).expect("root may change its root directory");
            chdir("/").expect("there is a root directory");
            self.run_here()
        })
    }
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit status, `None` when a signal ended it.
    pub status: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Outcome {
    /// Whether the exit status is 0.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }

    /// Standard output as the one JSON document that it must be.
    ///
    /// # Panics
    /// When it is not exactly that.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON document ({error}): {self}"))
    }

    /// The result of a successful execution.
    ///
    /// # Panics
    /// When the program failed or printed something else than one JSON document.
    pub fn result(&self) -> Value {
        assert!(self.success(), "the execution failed: {self}");
        self.json()
    }

    /// Asserts success without a word on standard output: what every verb but ADD and VERSION owes.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_silent(&self) {
        assert!(
            self.success() && self.stdout.is_empty(),
            "not a silent success: {self}"
        );
    }

    /// Code, message and details of the error object of a failed execution.
    ///
    /// # Panics
    /// When the program succeeded, or standard output is no error object.
    pub fn error(&self) -> (u64, String) {
        assert!(
            self.status.is_some_and(|status| status != 0),
            "expected an error: {self}"
        );
        let object = self.json();
        let text = |key: &str| object[key].as_str().map(str::to_owned);
        let code = object["code"]
            .as_u64()
            .unwrap_or_else(|| panic!("no code: {self}"));
        let msg = text("msg").unwrap_or_else(|| panic!("no msg: {self}"));
        match text("details") {
            Some(details) => (code, format!("{msg}; {details}")),
            None => (code, msg),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "exit status {status}")?,
            None => write!(f, "ended by a signal")?,
        }
        write!(f, "\nstdout: {}\nstderr: {}", self.stdout, self.stderr)
    }
}

/// Starts `command` with `stdin` and waits for its end, at most [`LIMIT`].
pub(crate) fn finish(command: &mut Command, stdin: &[u8]) -> Outcome {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own, so that what it started can be ended with it.
    command.process_group(0);
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = Pid::from_raw(child.id().try_into().expect("a process ID is a pid_t"));
    let mut pipe = child.stdin.take().expect("standard input is a pipe");
    let (done, ended) = mpsc::channel();
    thread::scope(|scope| {
        // A program may end, rightly, before it has read everything.
        scope.spawn(move || pipe.write_all(stdin).ok());
        scope.spawn(move || done.send(child.wait_with_output()).ok());
        let output = ended.recv_timeout(LIMIT).unwrap_or_else(|_| {
            killpg(pid, Signal::SIGKILL).ok();
            panic!("{command:?} did not end within {LIMIT:?}")
        });
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    })
}
