// SPDX-License-Identifier: Apache-2.0
//! The Nodes that the stand-in has, and what it answers.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::request::Request;

/// What the stand-in serves, and how.
#[derive(Default)]
pub(crate) struct State {
    nodes: BTreeMap<String, Value>,
    version: u64,
    /// Every change, with the version that it made.
    history: Vec<(u64, Value)>,
    /// Versions before this one are forgotten.
    oldest: u64,
    /// How streaming is refused.
    pub(crate) streams: Option<u16>,
    /// The token without which nobody is served.
    pub(crate) token: Option<String>,
    /// Answers to the next requests whose line has a text.
    pub(crate) faults: VecDeque<(&'static str, Fault)>,
    /// The lines of all requests.
    pub(crate) requests: Vec<String>,
    /// The longest page of a list.
    pub(crate) page: Option<usize>,
}

/// What is done in place of what was asked.
#[derive(Clone)]
pub(crate) enum Fault {
    /// This code, header and body.
    Answer(u16, &'static str, String),
    /// These bytes as the events of a watch, or the content of a list.
    Say(String),
    /// Nothing, and the connection is closed.
    Close,
    /// It breaks off within the answer.
    Break,
    /// It never answers.
    Hang,
}

impl State {
    /// Makes or changes a Node.
    pub(crate) fn put(&mut self, mut node: Value) {
        self.version += 1;
        let name = node["metadata"]["name"]
            .as_str()
            .expect("a name")
            .to_owned();
        node["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let before = self.nodes.insert(name, node.clone());
        let kind = if before.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.history
            .push((self.version, json!({"type": kind, "object": node})));
    }

    /// Removes a Node.
    pub(crate) fn remove(&mut self, name: &str) {
        self.version += 1;
        let mut node = self.nodes.remove(name).expect("a Node of this name");
        node["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.history
            .push((self.version, json!({"type": "DELETED", "object": node})));
    }

    /// Forgets all that has happened.
    pub(crate) fn forget(&mut self) {
        self.oldest = self.version;
        self.history.clear();
    }

    fn list(&self, request: &Request) -> Value {
        let start: usize = request
            .parameter("continue")
            .map_or(0, |text| text.parse().expect("ours"));
        let limit = request
            .parameter("limit")
            .map_or(usize::MAX, |text| text.parse().expect("a number"));
        let limit = limit.min(self.page.unwrap_or(usize::MAX));
        let nodes = self.nodes.values().filter(|node| request.selects(node));
        let mut rest = nodes.map(|node| request.form(node)).skip(start);
        let items: Vec<_> = rest.by_ref().take(limit).collect();
        let more = rest.next().map(|_| (start + items.len()).to_string());
        json!({
            "kind": "NodeList", "apiVersion": "v1",
            "metadata": {"resourceVersion": self.version.to_string(), "continue": more.unwrap_or_default()},
            "items": items,
        })
    }

    /// What a watch says first, and the version up to which that is all.
    pub(crate) fn beginning(&self, request: &Request) -> (String, u64) {
        let mut said = String::new();
        if request.parameter("sendInitialEvents").is_none() {
            let version = request.parameter("resourceVersion").expect("a version");
            return (said, version.parse().expect("ours"));
        }
        for node in self.nodes.values().filter(|node| request.selects(node)) {
            said += &line(&json!({"type": "ADDED", "object": request.form(node)}));
        }
        let version = self.version.to_string();
        let end = json!({"k8s.io/initial-events-end": "true"});
        said += &line(
            &json!({"type": "BOOKMARK", "object": {"kind": "Node", "apiVersion": "v1",
            "metadata": {"resourceVersion": version, "annotations": end}}}),
        );
        (said, self.version)
    }

    /// What has happened since a version, which becomes the newest.
    pub(crate) fn since(&self, version: &mut u64, request: &Request) -> String {
        let mut said = String::new();
        let known = *version;
        for (at, event) in self.history.iter().filter(|(at, _)| *at > known) {
            if request.selects(&event["object"]) {
                let object = request.form(&event["object"]);
                said += &line(&json!({"type": event["type"], "object": object}));
            }
            *version = (*version).max(*at);
        }
        said
    }

    /// A list of what was asked for, or what is done in its place.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Value, Fault> {
        let status = |code, message: &str| {
            Fault::Answer(
                code,
                "",
                json!({"kind": "Status", "message": message, "code": code}).to_string(),
            )
        };
        let at = self
            .faults
            .iter()
            .position(|(text, _)| request.line.contains(text));
        if let Some((_, fault)) = at.and_then(|at| self.faults.remove(at)) {
            return Err(fault);
        }
        if let Some(token) = &self.token
            && request.token.as_ref() != Some(token)
        {
            return Err(status(401, "Unauthorized"));
        }
        if let (Some(code), Some(_)) = (self.streams, request.parameter("sendInitialEvents")) {
            return Err(status(code, "sendInitialEvents is forbidden for watch"));
        }
        if let Some(name) = request.path().strip_prefix("/api/v1/nodes/") {
            let node = self.nodes.get(name).cloned();
            return node.ok_or_else(|| status(404, "not found"));
        }
        let version = request.parameter("resourceVersion");
        let version = version.and_then(|text| text.parse().ok());
        if version.is_some_and(|version: u64| version < self.oldest) {
            let gone = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}});
            return Err(Fault::Say(line(&gone)));
        }
        Ok(self.list(request))
    }
}

fn line(event: &Value) -> String {
    format!("{event}\n")
}
