// SPDX-License-Identifier: Apache-2.0
//! A program that runs beside a test, and what it says.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::beginning::PATIENCE;
use crate::place::Place;

/// A running program. It is killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: Log,
    reader: Option<JoinHandle<()>>,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All that it said.
    pub log: String,
}

/// What the program has said so far.
#[derive(Clone, Debug, Default)]
struct Log(Arc<(Mutex<Said>, Condvar)>);

#[derive(Debug, Default)]
struct Said {
    text: String,
    ended: bool,
}

impl Program {
    /// Starts a program in a place, and listens to its standard error.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn start(place: &Place, command: &mut Command) -> Self {
        Self::with_stderr(place, command, Stdio::piped())
    }

    /// As [`Program::start`], with its standard error wherever the test wants it.
    ///
    /// # Panics
    /// When it can't be executed.
    pub fn with_stderr(place: &Place, command: &mut Command, stderr: Stdio) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(stderr);
        let name = command.get_program().display().to_string();
        let mut child = place
            .run(|| command.spawn())
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::default();
        let written = log.clone();
        let reader = child.stderr.take().map(|stderr| {
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    written.add(&line);
                }
                written.end();
            })
        });
        if reader.is_none() {
            log.end();
        }
        Self {
            name,
            child,
            log,
            reader,
        }
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until it has said `word`, and says whether it has.
    #[must_use]
    pub fn says(&self, word: &str, limit: Duration) -> bool {
        self.log.wait(limit, |said| said.text.contains(word))
    }

    /// Waits until it has said a line with `word` beyond the first `length` octets of its log, and
    /// returns it.
    pub fn says_after(&self, length: usize, word: &str, limit: Duration) -> Option<String> {
        let line = |text: &str| {
            let mut lines = text.get(length..)?.lines();
            lines.find(|line| line.contains(word)).map(str::to_owned)
        };
        self.log.wait(limit, |said| line(&said.text).is_some());
        line(&self.log())
    }

    /// Whether it has closed its standard error, which it does at its end.
    pub fn has_ended(&self) -> bool {
        self.log.wait(Duration::ZERO, |said| said.ended)
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = self.child.id().try_into().expect("a process ID is a pid_t");
        kill(Pid::from_raw(pid), signal)
            .unwrap_or_else(|error| panic!("{} {signal}: {error}", self.name));
    }

    /// Ends it as a service manager does, by SIGTERM, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Ends it by SIGKILL.
    pub fn kill(self) -> Ended {
        self.signal(Signal::SIGKILL);
        self.wait()
    }

    /// Waits for its end, for example after a refusal.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(mut self) -> Ended {
        // Its end is the end of what it says.
        let ended = self.log.wait(PATIENCE, |said| said.ended);
        assert!(ended, "{} does not end:\n{}", self.name, self.log());
        let status = self.child.wait().expect("a child can be waited for");
        Ended {
            status,
            log: self.log(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }
}

impl Log {
    fn add(&self, line: &str) {
        self.change(|said| {
            said.text.push_str(line);
            said.text.push('\n');
        });
    }

    fn end(&self) {
        self.change(|said| said.ended = true);
    }

    fn text(&self) -> String {
        let said = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.text.clone()
    }

    /// Waits until `enough` has been said.
    fn wait(&self, limit: Duration, enough: impl Fn(&Said) -> bool) -> bool {
        let said = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let short = |said: &mut Said| !enough(said);
        let waited = self.0.1.wait_timeout_while(said, limit, short);
        enough(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }
}
