// SPDX-License-Identifier: Apache-2.0
//! The plugin's configuration.

use std::path::PathBuf;

use cni::{Code, Error, Network};
use serde::Deserialize;
use topology::{Node, Settings};

/// Where `podwired` keeps its state unless it is told otherwise.
const STATE_FILE: &str = "/run/podwire/overlay.json";

/// The configuration, as far as it can be judged without a look at anything else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conf {
    /// The overlay's settings; without meaning with an agent, which has its own.
    pub(crate) settings: Settings,
    /// Who programs the overlay.
    pub(crate) source: Source,
}

/// Who programs the overlay.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This plugin, by a list of nodes.
    Static(Static),
    /// `podwired`, which keeps this state file.
    Agent(PathBuf),
}

/// A list of nodes, and which of them this one is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Static {
    /// This node's name, if the configuration says it.
    pub(crate) node: Option<String>,
    /// The list.
    pub(crate) list: List,
}

/// Where the list of nodes is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// In the configuration.
    Inline(Vec<Node>),
    /// In a file.
    File(PathBuf),
}

/// The keys that are not the overlay's settings.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawConf {
    node: String,
    nodes: Option<Vec<Node>>,
    nodes_file: PathBuf,
    state_file: PathBuf,
}

impl Conf {
    /// Reads it; the errors are those of `docs/plugins/vxlan.md`.
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let mut settings: Settings = network.conf()?;
        settings.underlay = settings.underlay.filter(|name| !name.is_empty());
        let raw: RawConf = network.conf()?;
        let file = given(raw.nodes_file)?;
        let list = match (raw.nodes, file) {
            (Some(_), Some(_)) => {
                let msg = "nodes and nodesFile exclude each other: which of them is the list?";
                return Err(Error::new(Code::INVALID_CONFIG, msg));
            }
            (Some(nodes), None) => Some(List::Inline(nodes)),
            (None, file) => file.map(List::File),
        };
        let source = match list {
            Some(list) => Source::Static(Static {
                node: Some(raw.node).filter(|name| !name.is_empty()),
                list,
            }),
            None => Source::Agent(given(raw.state_file)?.unwrap_or_else(|| STATE_FILE.into())),
        };
        Ok(Self { settings, source })
    }
}

/// A path that does not depend on where a runtime happens to start plugins; empty is absent.
fn given(path: PathBuf) -> Result<Option<PathBuf>, Error> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    if path.is_relative() {
        let msg = format!("the path {path:?} is not absolute");
        return Err(Error::new(Code::INVALID_CONFIG, msg));
    }
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &str) -> Result<Conf, Error> {
        let json = format!(r#"{{"cniVersion": "1.1.0", "name": "pods", "type": "vxlan", {keys}}}"#);
        Conf::new(&Network::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn without_a_list_it_is_the_agents() {
        for keys in [
            r#""vni": 1"#,
            r#""nodes": null"#,
            r#""nodesFile": "", "stateFile": """#,
        ] {
            let conf = read(keys).unwrap();
            assert_eq!(conf.source, Source::Agent(STATE_FILE.into()), "{keys}");
        }
        let conf = read(r#""stateFile": "/run/elsewhere.json""#).unwrap();
        assert_eq!(conf.source, Source::Agent("/run/elsewhere.json".into()));
    }

    #[test]
    fn keys_fold_their_case_also_within_nodes() {
        let keys = r#""NODE": "a", "DirectRouting": true, "underLAY": "eth1",
            "Nodes": [{"Name": "a", "UNDERLAY": "192.0.2.1", "podcidrs": ["10.200.0.0/24"]}]"#;
        let conf = read(keys).unwrap();
        assert!(conf.settings.direct_routing);
        assert_eq!(conf.settings.underlay.as_deref(), Some("eth1"));
        let Source::Static(Static {
            node: Some(node),
            list: List::Inline(nodes),
        }) = conf.source
        else {
            panic!("{conf:?}")
        };
        assert_eq!((node.as_str(), nodes[0].name.as_str()), ("a", "a"));
        assert_eq!(nodes[0].pod_cidrs.len(), 1);
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let conf = read(r#""nodes": [], "node": """#).unwrap();
        let expected = Static {
            node: None,
            list: List::Inline(Vec::new()),
        };
        assert_eq!(conf.source, Source::Static(expected));
        assert_eq!(read(r#""underlay": """#).unwrap().settings.underlay, None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (keys, code, words) in [
            (
                r#""nodes": [], "nodesFile": "/nodes.json""#,
                7,
                "nodes and nodesFile",
            ),
            (r#""nodesFile": "nodes.json""#, 7, "\"nodes.json\""),
            (r#""stateFile": "state.json""#, 7, "\"state.json\""),
            (r#""nodesFile": 5"#, 6, "nodesFile"),
            (r#""nodes": {}"#, 6, "nodes"),
            (r#""vni": 16777216"#, 7, "VNI 16777216"),
            (r#""port": 65536"#, 7, "port"),
            (r#""network": "10.0.0.0""#, 7, "network"),
            (
                r#""nodes": [{"name": "a"}, {"name": ""}]"#,
                7,
                "nodes[1].name",
            ),
            (
                r#""nodes": [{"name": "a", "underlay": "x"}]"#,
                7,
                "nodes[0].underlay",
            ),
        ] {
            let error = read(keys).unwrap_err();
            assert_eq!(error.code, Code(code), "{keys}: {error}");
            assert!(error.msg.contains(words), "{keys}: {error}");
        }
    }
}
