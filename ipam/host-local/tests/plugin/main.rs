// SPDX-License-Identifier: Apache-2.0
//! The executable, called as a runtime calls it.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod add;
mod config;
mod disk;
mod other_verbs;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A host, as far as this plugin is concerned.
struct Host {
    dir: TempDir,
}

/// What a call answered: a result, nothing (`null`), or an error's code and text.
type Answer = Result<Value, (u64, String)>;

impl Host {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The parent of the networks' directories; it is not made before it is needed.
    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("networks")
    }

    /// A configuration with this `ipam`, to which type and data directory are added.
    fn conf(&self, ipam: Value) -> Value {
        let mut ipam = ipam;
        ipam["type"] = json!("host-local");
        ipam["dataDir"] = json!(self.data_dir());
        json!({ "cniVersion": "1.1.0", "name": "net", "type": "bridge", "ipam": ipam })
    }

    fn one_subnet(&self, subnet: &str) -> Value {
        self.conf(json!({ "ranges": [[{ "subnet": subnet }]] }))
    }

    /// The lease files and what else is in the network's directory.
    fn files(&self) -> Vec<String> {
        files(&self.data_dir().join("net"))
    }
}

fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn call(verb: &str, conf: &Value, container: &str) -> Answer {
    call_with(verb, conf, &[("CNI_CONTAINERID", container)])
}

fn call_with(verb: &str, conf: &Value, environment: &[(&str, &str)]) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_host-local"))
        .env_clear()
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", "a")
        .env("CNI_NETNS", "/nowhere")
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", "/nowhere")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(conf.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let answer = match output.stdout.as_slice() {
        [] => Value::Null,
        stdout => serde_json::from_slice(stdout).unwrap(),
    };
    if output.status.success() {
        return Ok(answer);
    }
    assert_eq!(output.status.code(), Some(1));
    let text = answer["msg"].as_str().unwrap();
    Err((answer["code"].as_u64().unwrap(), text.to_owned()))
}

/// The addresses of a result.
fn addresses(answer: Answer) -> Vec<String> {
    let result = answer.unwrap();
    let ips = result["ips"].as_array().unwrap();
    ips.iter()
        .map(|ip| ip["address"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_error(answer: Answer, code: u64, text: &str) {
    let error = answer.unwrap_err();
    assert_eq!(error, (code, text.to_owned()));
}
