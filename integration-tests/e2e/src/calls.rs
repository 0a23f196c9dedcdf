// SPDX-License-Identifier: Apache-2.0
//! Plugins as a runtime sees them, with an ear in front: each call is written down, and a test can
//! let one of them stand still, before the plugin or after it, for as long as it likes.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use integration_tests::{Node, Place, bench};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use crate::PATIENCE;

/// Where [`bench::script`] puts what runs in front of the plugins: a runtime's plugin directory.
pub(crate) const DIRECTORY: &str = "/run/lab/bin";
/// Where the calls are written down.
const LOG: &str = "/run/lab/calls";

/// One call of a plugin by a runtime or by another plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// CNI_COMMAND.
    pub verb: String,
    /// The plugin's name.
    pub plugin: String,
    /// The `cniVersion` of its configuration.
    pub version: String,
    /// CNI_IFNAME.
    pub interface: String,
    /// CNI_CONTAINERID.
    pub container: String,
    /// CNI_ARGS.
    pub args: String,
}

/// On which side of a plugin's execution a call stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has been done yet.
    Before,
    /// The plugin has done all and said so; the caller does not know that it is over.
    After,
}

/// A call that will stand still.
#[derive(Debug)]
pub struct Gate {
    place: Place,
    path: PathBuf,
    arrival: File,
    way: File,
}

/// Puts the plugins that a conflist names, and `loopback`, which containerd executes besides, from a
/// directory into [`DIRECTORY`] of a node, each with an ear.
pub(crate) fn listen(node: &Node, plugins: &Path, conflist: &str) {
    let conflist = serde_json::from_str(conflist).expect("a conflist is JSON");
    let mut names = BTreeSet::from(["loopback".to_owned()]);
    types(&conflist, &mut names);
    for name in names {
        bench::script(node, &name, &text(&plugins.join(&name)));
    }
}

/// The values of all keys `type`, of whatever depth.
fn types(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| types(value, names)),
        Value::Object(members) => {
            names.extend(
                members
                    .get("type")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            members.values().for_each(|value| types(value, names));
        }
        _ => {}
    }
}

/// What runs in front of a plugin.
fn text(plugin: &Path) -> String {
    format!(
        r#"input=$(cat)
version=${{input#*\"cniVersion\":\"}}
call="$CNI_COMMAND ${{0##*/}} ${{version%%\"*}} ${{CNI_IFNAME:--}} ${{CNI_CONTAINERID:--}} ${{CNI_ARGS:--}}"
echo "$call" >>{LOG}
pass() {{
    gate=/run/lab/$CNI_COMMAND-${{0##*/}}-$1
    if [ -p "$gate" ]; then
        echo >"$gate"
        read -r _ <"$gate-way"
    fi
}}
pass Before
printf '%s' "$input" | {}
status=$?
pass After
exit $status"#,
        plugin.display()
    )
}

/// The calls so far.
///
/// # Panics
/// When a line is not one of ours.
pub fn calls(node: &Node) -> Vec<Call> {
    let text = node.run(|| fs::read_to_string(LOG)).unwrap_or_default();
    text.lines().map(call).collect()
}

/// Forgets the calls so far.
pub fn forget_calls(node: &Node) {
    node.run(|| fs::remove_file(LOG)).ok();
}

fn call(line: &str) -> Call {
    let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
    let words: Result<[_; 6], _> = words.try_into();
    let [verb, plugin, version, interface, container, args] =
        words.unwrap_or_else(|_| panic!("no call: {line:?}"));
    Call {
        verb,
        plugin,
        version,
        interface,
        container,
        args,
    }
}

impl Gate {
    /// Lets the calls of a plugin by this verb stand still, until the gate is gone.
    ///
    /// # Panics
    /// When there is one for them already.
    pub fn new(node: &Node, verb: &str, plugin: &str, moment: Moment) -> Self {
        let path = PathBuf::from(format!("/run/lab/{verb}-{plugin}-{moment:?}"));
        let way = PathBuf::from(format!("{}-way", path.display()));
        let [way, arrival] = [&way, &path].map(|path| node.run(|| pipe(path)));
        Self {
            place: (**node).clone(),
            path,
            arrival,
            way,
        }
    }

    /// Waits for a call to arrive.
    ///
    /// # Panics
    /// When none does.
    pub fn wait(&mut self) {
        let limit = PollTimeout::try_from(PATIENCE).expect("patience is no eternity");
        let mut waiting = [PollFd::new(self.arrival.as_fd(), PollFlags::POLLIN)];
        let arrived = poll(&mut waiting, limit).expect("a pipe can be waited for");
        assert_eq!(arrived, 1, "no call arrives at {}", self.path.display());
        self.arrival.read_exact(&mut [0]).expect("it has arrived");
    }

    /// Lets the call that has arrived go on, and stops no other.
    pub fn open(mut self) {
        self.place.run(|| fs::remove_file(&self.path)).ok();
        self.way.write_all(b"\n").expect("the pipe is ours");
    }
}

/// A pipe with a name, open at both ends, so that nobody waits for the other end.
fn pipe(path: &Path) -> File {
    match mkfifo(path, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => panic!("{}: {errno}", path.display()),
    }
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
