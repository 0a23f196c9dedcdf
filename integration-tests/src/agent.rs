// SPDX-License-Identifier: Apache-2.0
//! The real `podwired`, run in a node.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::beginning::PATIENCE;
use crate::binaries;
use crate::execution::Outcome;
use crate::place::Place;

/// Where it writes its state unless it is told otherwise.
const STATE: &str = "/run/podwire/overlay.json";

/// A running agent. It is killed when it is dropped.
#[derive(Debug)]
pub struct Agent {
    node: Place,
    child: Child,
    state: PathBuf,
    log: Log,
    reader: Option<JoinHandle<()>>,
}

/// An agent that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All that it said.
    pub log: String,
}

/// What the agent has said so far.
#[derive(Clone, Debug, Default)]
struct Log(Arc<(Mutex<Said>, Condvar)>);

#[derive(Debug, Default)]
struct Said {
    text: String,
    ended: bool,
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
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(stderr);
        let mut child = node
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
            node: node.clone(),
            child,
            state: state_file(args),
            log,
            reader,
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

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
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
        let until = Instant::now() + limit;
        let changes = self.node.run(|| Inotify::init(InitFlags::IN_NONBLOCK));
        let changes = changes.expect("files can be watched");
        loop {
            self.watch(&changes);
            let state = self.state();
            if let Some(state) = state.as_ref().filter(|state| wanted(state)) {
                return state.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            let log = self.log();
            assert!(!left.is_zero(), "not {what}: {state:?}\n{log}");
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut waiting = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
            poll(&mut waiting, left).expect("a file can be waited for");
            changes.read_events().ok();
        }
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

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = self.child.id().try_into().expect("a process ID is a pid_t");
        kill(Pid::from_raw(pid), signal).expect("the agent is running");
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
        assert!(ended, "the agent does not end:\n{}", self.log());
        let status = self.child.wait().expect("a child can be waited for");
        Ended {
            status,
            log: self.log(),
        }
    }

    /// What `podwired status --json` says in this node.
    ///
    /// # Panics
    /// When it prints no JSON.
    pub fn status(&self) -> Value {
        let state = self.state.display().to_string();
        podwired(&self.node, &["status", "--json", "--state", &state]).json()
    }

    /// Watches the directory of the state file, or that in which it will be made.
    fn watch(&self, changes: &Inotify) {
        let directory = self.state.parent().expect("a file is in a directory");
        let flags =
            AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE;
        self.node.run(|| {
            for directory in [directory.parent(), Some(directory)].into_iter().flatten() {
                changes.add_watch(directory, flags).ok();
            }
        });
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
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
