// SPDX-License-Identifier: Apache-2.0
//! What the stand-in is asked.

use serde_json::{Value, json};

/// A request without a body.
pub(crate) struct Request {
    /// Method, path and query.
    pub(crate) line: String,
    pub(crate) token: Option<String>,
    metadata_only: bool,
}

impl Request {
    pub(crate) fn parse(head: &str) -> Self {
        let mut lines = head.lines();
        let line = lines.next().expect("a request line").replace("%3D", "=");
        let header = |name: &str| {
            let lower = |line: &str| line.to_ascii_lowercase().starts_with(name);
            let line = head.lines().find(|line| lower(line));
            line.and_then(|line| Some(line.split_once(": ")?.1.to_owned()))
        };
        let token = header("authorization").map(|text| text.replace("Bearer ", ""));
        let accept = header("accept").unwrap_or_default();
        Self {
            line,
            token,
            metadata_only: accept.contains("as=PartialObjectMetadata"),
        }
    }

    pub(crate) fn path(&self) -> &str {
        let target = self.line.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let target = self.line.split(' ').nth(1)?;
        let mut pairs = target.split_once('?')?.1.split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    pub(crate) fn is_watch(&self) -> bool {
        self.parameter("watch").is_some()
    }

    pub(crate) fn selects(&self, node: &Value) -> bool {
        let selector = self.parameter("fieldSelector");
        let name = selector.and_then(|text| text.strip_prefix("metadata.name="));
        name.is_none_or(|name| node["metadata"]["name"] == name)
    }

    /// A Node as it was asked for.
    pub(crate) fn form(&self, node: &Value) -> Value {
        if self.metadata_only {
            let kind = "PartialObjectMetadata";
            return json!({"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": node["metadata"]});
        }
        node.clone()
    }
}
