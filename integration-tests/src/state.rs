// SPDX-License-Identifier: Apache-2.0
//! All that a plugin could leave on a node, as one line of text per thing, so that a test can say
//! "nothing is left" and a reader sees what is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::node::Node;

/// Sysctls that plugins set.
const SYSCTLS: [&str; 3] = [
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/bridge/bridge-nf-call-iptables",
];

/// What a node had at one moment: links, addresses, routes, firewall objects, files, sysctls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(BTreeSet<String>);

impl State {
    /// Looks at a node by means of its own: `ip` of iproute2, `nft`, and the files themselves.
    ///
    /// # Panics
    /// When `ip` or `nft` is not installed; `make test` installs them.
    pub fn of(node: &Node) -> Self {
        let mut lines = BTreeSet::new();
        lines.extend(links(&json(node, "ip", "-json -details address")));
        for family in ["-4", "-6"] {
            let routes = json(node, "ip", &format!("{family} -json route show table all"));
            lines.extend(routes.iter().filter(|route| is_lasting(route)).map(route));
        }
        for object in json(node, "nft", "--json list ruleset")
            .iter()
            .flat_map(members)
        {
            lines.extend(firewall(object));
        }
        node.run(|| {
            files(Path::new("/var/lib/cni"), &mut lines);
            files(Path::new("/run"), &mut lines);
            lines.extend(SYSCTLS.iter().filter_map(|path| sysctl(path)));
        });
        Self(lines)
    }

    /// What is there in `later` and was not before, and what was there and is gone, as `+ LINE`
    /// and `- LINE`.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let left = later.0.difference(&self.0).map(|line| format!("+ {line}"));
        let gone = self.0.difference(&later.0).map(|line| format!("- {line}"));
        left.chain(gone).collect()
    }

    /// Asserts that a node is as it was, but for lines that contain one of the words `kept`.
    ///
    /// # Panics
    /// When something else is left or gone.
    pub fn assert_nothing_left(&self, node: &Node, kept: &[&str]) {
        let mut differences = self.differences(&Self::of(node));
        differences.retain(|line| !kept.iter().any(|word| line.contains(word)));
        assert!(
            differences.is_empty(),
            "left (+) or gone (-):\n{}",
            differences.join("\n")
        );
    }

    /// The lines that contain a word, for tests that expect something to be there.
    pub fn lines_with(&self, word: &str) -> Vec<&str> {
        self.0
            .iter()
            .map(String::as_str)
            .filter(|line| line.contains(word))
            .collect()
    }
}

fn json(node: &Node, program: &str, arguments: &str) -> Vec<Value> {
    let text = node.tool(program, arguments);
    let document = serde_json::from_str(&text);
    match document.unwrap_or_else(|error| panic!("{program} {arguments}: {error}")) {
        Value::Array(entries) => entries,
        document => document["nftables"].as_array().cloned().unwrap_or_default(),
    }
}

fn links(entries: &[Value]) -> Vec<String> {
    let lines = entries.iter().flat_map(|link| {
        let name = text(link, "ifname");
        let kind = link["linkinfo"]["info_kind"].as_str().unwrap_or("plain");
        let master = text(link, "master");
        let addresses = link["addr_info"].as_array().into_iter().flatten();
        // The kernel makes and removes link-local addresses in its own time.
        let lasting = addresses.filter(|address| address["scope"] != "link");
        let addresses = lasting.map(|address| {
            format!(
                "address {}/{} on {name}",
                text(address, "local"),
                address["prefixlen"]
            )
        });
        let line = format!("link {name} {kind} mtu {} master {master:?}", link["mtu"]);
        std::iter::once(line).chain(addresses.collect::<Vec<_>>())
    });
    lines.collect()
}

/// Not the routes that come and go with addresses and links by themselves.
fn is_lasting(route: &Value) -> bool {
    let destination = text(route, "dst");
    text(route, "table") != "local"
        && !["fe80::", "ff00::"]
            .iter()
            .any(|prefix| destination.starts_with(prefix))
}

fn route(route: &Value) -> String {
    let keys = [
        "type", "dst", "gateway", "dev", "table", "protocol", "scope",
    ];
    let words = keys
        .iter()
        .map(|key| text(route, key))
        .filter(|word| !word.is_empty());
    format!("route {}", words.collect::<Vec<_>>().join(" "))
}

/// One line for an object of nf_tables and one for each element of a set or map, without what
/// changes by itself: handles and counters.
fn firewall((kind, object): (&String, &Value)) -> Vec<String> {
    if kind == "metainfo" {
        return Vec::new();
    }
    let mut object = object.clone();
    let elements = object.as_object_mut().and_then(|fields| {
        fields.remove("handle");
        fields.remove("elem")
    });
    if let Some(expressions) = object.get_mut("expr").and_then(Value::as_array_mut) {
        expressions.retain(|expression| expression.get("counter").is_none());
    }
    let names = ["family", "table", "chain", "name"].map(|key| text(&object, key));
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let line = format!("nft {kind} {}", names.join(" "));
    let elements = elements.as_ref().and_then(Value::as_array);
    let elements = elements
        .into_iter()
        .flatten()
        .map(|element| format!("{line}: {element}"));
    std::iter::once(format!("{line} {object}"))
        .chain(elements)
        .collect()
}

/// What is not a plugin's: the laboratory's own files, and the cache of `cnitool`.
const NOT_OURS: [&str; 3] = ["/run/lab", "/run/netns", "/var/lib/cni/results"];

/// Files and directories below `directory`.
fn files(directory: &Path, lines: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if NOT_OURS.iter().any(|other| path == Path::new(other)) {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            lines.insert(format!("directory {}", path.display()));
            files(&path, lines);
        } else {
            lines.insert(format!("file {}", path.display()));
        }
    }
}

fn sysctl(path: &str) -> Option<String> {
    let value = fs::read_to_string(Path::new("/proc/sys").join(path)).ok()?;
    Some(format!("sysctl {path} = {}", value.trim()))
}

fn members(entry: &Value) -> impl Iterator<Item = (&String, &Value)> {
    entry.as_object().into_iter().flatten()
}

fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_default().to_owned()
}
