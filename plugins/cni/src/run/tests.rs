// SPDX-License-Identifier: Apache-2.0
//! Every row of the protocol's tables, from the environment and stdin to stdout and exit status.

mod fuzz;
mod gc;
mod input;
mod output;

use std::cell::RefCell;
use std::io;

use serde_json::{Value, json};

use super::*;
use crate::environment::{ARGS, COMMAND, CONTAINER_ID, IFNAME, NETNS, NETNS_OVERRIDE, PATH};
use crate::{Attachment, Call};

/// A plugin that writes down how it is called and answers as it is told.
struct Scribe {
    calls: RefCell<Vec<String>>,
    seen: RefCell<Option<Seen>>,
    answer: fn() -> Result<AddResult, Error>,
    versions: &'static [Version],
}

/// What the last call brought.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    attachment: Option<Attachment>,
    netns: Option<String>,
    prev_result: Option<AddResult>,
    valid: Vec<Attachment>,
}

impl Scribe {
    fn new() -> Self {
        Self::answering(|| Ok(AddResult::default()))
    }

    fn answering(answer: fn() -> Result<AddResult, Error>) -> Self {
        let (calls, seen) = Default::default();
        Self {
            calls,
            seen,
            answer,
            versions: &Version::ALL,
        }
    }

    fn note(&self, verb: &str, call: &dyn Call, seen: Seen) -> Result<AddResult, Error> {
        let network = call.network();
        self.calls
            .borrow_mut()
            .push(format!("{verb} {} {}", network.name, network.version));
        self.seen.replace(Some(seen));
        (self.answer)()
    }

    fn calls(&self) -> Vec<String> {
        self.calls.borrow().clone()
    }

    fn seen(&self) -> Seen {
        self.seen.take().unwrap()
    }
}

impl Plugin for Scribe {
    fn name(&self) -> &'static str {
        "scribe"
    }

    fn versions(&self) -> &'static [Version] {
        self.versions
    }

    fn add(&self, call: &Add) -> Result<AddResult, Error> {
        let seen = Seen {
            attachment: Some(call.attachment.clone()),
            netns: Some(call.netns.display().to_string()),
            prev_result: call.prev_result.clone(),
            valid: Vec::new(),
        };
        self.note("ADD", call, seen)
    }

    fn del(&self, call: &Del) -> Result<(), Error> {
        let seen = Seen {
            attachment: Some(call.attachment.clone()),
            netns: call.netns.as_ref().map(|netns| netns.display().to_string()),
            prev_result: call.prev_result.clone(),
            valid: Vec::new(),
        };
        self.note("DEL", call, seen).map(|_| ())
    }

    fn check(&self, call: &Check) -> Result<(), Error> {
        let seen = Seen {
            attachment: Some(call.attachment.clone()),
            netns: Some(call.netns.display().to_string()),
            prev_result: Some(call.required_prev_result()?.clone()),
            valid: Vec::new(),
        };
        self.note("CHECK", call, seen).map(|_| ())
    }

    fn gc(&self, call: &Gc) -> Result<(), Error> {
        let seen = Seen {
            valid: call.valid.clone(),
            ..Seen::default()
        };
        self.note("GC", call, seen).map(|_| ())
    }

    fn status(&self, call: &Status) -> Result<(), Error> {
        self.note("STATUS", call, Seen::default()).map(|_| ())
    }
}

/// A stdin that nobody may read.
struct Untouchable;

impl Read for Untouchable {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("stdin was read");
    }
}

/// Some other namespace than the test's.
const ELSEWHERE: &str = "/proc/self/ns/uts";

/// All variables of a call, changed by `changes`.
fn environment(verb: &'static str, changes: &[(&'static str, &str)]) -> Environment {
    let usual = [
        (COMMAND, verb),
        (CONTAINER_ID, "c"),
        (NETNS, ELSEWHERE),
        (IFNAME, "eth0"),
        (PATH, "/bin"),
    ];
    usual.into_iter().chain(changes.iter().copied()).collect()
}

fn attachment(container_id: &str, ifname: &str) -> Attachment {
    Attachment {
        container_id: container_id.to_owned(),
        ifname: ifname.to_owned(),
    }
}

fn config(version: Version, more: &Value) -> String {
    let mut config = json!({ "cniVersion": version, "name": "net", "type": "scribe" });
    let more = more.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    config.to_string()
}

fn call(plugin: &Scribe, environment: &Environment, stdin: &str) -> Outcome {
    invoke(plugin, environment, &mut stdin.as_bytes())
}

/// The call's error object, whose form is checked.
fn refusal(outcome: &Outcome) -> (u64, String) {
    assert_eq!((outcome.exit, outcome.stderr.as_str()), (1, ""));
    let object: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let version = object["cniVersion"].as_str().unwrap();
    assert!(version.parse::<Version>().is_ok());
    (
        object["code"].as_u64().unwrap(),
        object["msg"].as_str().unwrap().to_owned(),
    )
}
