// SPDX-License-Identifier: Apache-2.0
//! The agent's state file: what `podwired` says about the overlay, and the `vxlan` plugin and
//! `podwired status` read. Its size does not depend on the number of nodes.

use std::path::PathBuf;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use crate::{Node, Settings, cidr};

/// The version of the file that this code writes and reads. It rises when a reader of the earlier
/// one would be misled; a new key alone, which it ignores, is no reason.
const VERSION: u32 = 1;

/// What the agent knows about the overlay of its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The node's name.
    pub node: String,
    /// The names of the VXLAN devices.
    pub devices: Vec<String>,
    /// The MTU in bytes that pods need for their packets to fit all devices.
    pub pod_mtu: u32,
    /// The overlay's settings; their network is never empty.
    pub settings: Settings,
    /// Whether the devices are flannel's, taken over.
    pub takes_over: bool,
    /// The masquerade of this node's pods, when the agent sees to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masquerade: Option<Masquerade>,
    /// The file with the list of nodes, when it comes from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes_file: Option<PathBuf>,
    /// Where the list of nodes is remembered, when it does not come from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remembered: Option<Remembered>,
    /// The file from which the plugin `flannel` learns of the overlay, when the agent has written one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_env: Option<PathBuf>,
    /// The networks of this node's pods.
    #[serde(
        rename = "podCIDRs",
        serialize_with = "cidr::texts",
        deserialize_with = "cidr::networks"
    )]
    pub pod_cidrs: Vec<IpNetwork>,
    /// Whether the kernel held all that it should when it was last looked at, but for what another
    /// program's route is in the way of: that is for others to see to, and pods can reach all else.
    pub converged: bool,
    /// Since when `converged` is what it is, in seconds since 1970.
    pub since: u64,
    /// How many peers the list has, without those that are left out.
    pub peers_wished: usize,
    /// How many of them the kernel holds completely.
    pub peers_programmed: usize,
    /// How many objects of the kernel differ from what they should be.
    pub differing: usize,
    /// What last went wrong, while it still matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When this was written, in seconds since 1970.
    pub written: u64,
    /// The boot in which it was written: /proc/sys/kernel/random/boot_id.
    pub boot_id: String,
}

/// How the agent masquerades what pods send out of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Masquerade {
    /// Where to they go untranslated, besides the cluster's network.
    #[serde(serialize_with = "cidr::texts", deserialize_with = "cidr::networks")]
    pub exempt: Vec<IpNetwork>,
}

/// A list of nodes that comes from a cluster, for others to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remembered {
    /// The file with the other nodes.
    pub cache_file: PathBuf,
    /// This node's entry.
    pub own: Node,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    #[serde(flatten)]
    state: &'a State,
}

impl State {
    /// The file's content.
    #[must_use]
    pub fn to_json(&self) -> String {
        let document = Document {
            version: VERSION,
            state: self,
        };
        let json = serde_json::to_string_pretty(&document);
        json.expect("keys are strings and no value can fail") + "\n"
    }

    /// Reads the file's content.
    ///
    /// # Errors
    /// When it is not a state file, or one of another version.
    pub fn parse(json: &[u8]) -> Result<Self, StateError> {
        let Versioned { version } = serde_json::from_slice(json).map_err(StateError::Unreadable)?;
        if version != VERSION {
            return Err(StateError::Version { found: version });
        }
        serde_json::from_slice(json).map_err(StateError::Unreadable)
    }

    /// Whether a pod can be attached to the overlay now, `boot_id` being the present boot. The
    /// agent need not be alive for that: what it has programmed stays.
    ///
    /// # Errors
    /// Says why not.
    pub fn ready(&self, boot_id: &str) -> Result<(), NotReady> {
        if self.boot_id != boot_id {
            return Err(NotReady::EarlierBoot);
        }
        if self.converged {
            return Ok(());
        }
        Err(NotReady::NotConverged {
            programmed: self.peers_programmed,
            wished: self.peers_wished,
            cause: self.last_error.clone(),
        })
    }
}

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is not the JSON of a state.
    #[error("not a state of podwired's: {0}")]
    Unreadable(serde_json::Error),
    /// It was written by a podwired with another format.
    #[error(
        "podwired's state has version {found}, and not {VERSION}: it and the plugin are of different releases"
    )]
    Version {
        /// Its version.
        found: u32,
    },
}

/// Why no pod can be attached to the overlay yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Nothing has been programmed since the node was started.
    #[error("podwired has not programmed the overlay since the node was started")]
    EarlierBoot,
    /// Some of the kernel's objects are missing or wrong.
    #[error("podwired has programmed {programmed} of {wished} peers{}", because(cause.as_deref()))]
    NotConverged {
        /// How many peers the kernel holds completely.
        programmed: usize,
        /// How many it should.
        wished: usize,
        /// What last went wrong.
        cause: Option<String>,
    },
}

fn because(cause: Option<&str>) -> String {
    cause.map_or_else(String::new, |cause| format!(": {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            node: "a".to_owned(),
            devices: vec!["podwire.1".to_owned(), "podwire-v6.1".to_owned()],
            pod_mtu: 1430,
            settings: Settings {
                network: vec![
                    "10.200.0.0/16".parse().unwrap(),
                    "fd00::/48".parse().unwrap(),
                ],
                ..Settings::default()
            },
            takes_over: false,
            masquerade: None,
            nodes_file: Some("/etc/podwire/nodes.json".into()),
            remembered: None,
            subnet_env: None,
            pod_cidrs: vec![
                "10.200.0.0/24".parse().unwrap(),
                "fd00::/64".parse().unwrap(),
            ],
            converged: true,
            since: 1_700_000_000,
            peers_wished: 3,
            peers_programmed: 3,
            differing: 0,
            last_error: None,
            written: 1_700_000_060,
            boot_id: "this".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let good = state();
        let bad = State {
            converged: false,
            last_error: Some("refused".to_owned()),
            ..state()
        };
        let own = r#"{"name": "a", "underlay": "192.0.2.1", "podCIDRs": "10.200.0.0/24"}"#;
        let of_cluster = State {
            nodes_file: None,
            masquerade: Some(Masquerade {
                exempt: vec!["192.0.2.0/24".parse().unwrap()],
            }),
            remembered: Some(Remembered {
                cache_file: "/var/lib/podwire/nodes.json".into(),
                own: serde_json::from_str(own).unwrap(),
            }),
            ..state()
        };
        for state in [good, bad, of_cluster] {
            let json = state.to_json();
            assert_eq!(State::parse(json.as_bytes()).unwrap(), state);
            assert!(
                json.starts_with("{\n  \"version\": 1,\n  \"node\": \"a\",\n"),
                "{json}"
            );
            assert!(json.contains("\"podCIDRs\": [\n"), "{json}");
        }
    }

    #[test]
    fn keys_of_later_releases_are_ignored() {
        let json = state().to_json().replacen('{', "{\"more\": {},", 1);
        assert_eq!(State::parse(json.as_bytes()).unwrap(), state());
    }

    #[test]
    fn another_version_and_garbage_are_refused() {
        let json = state().to_json();
        let later = json.replace("\"version\": 1", "\"version\": 2");
        let error = State::parse(later.as_bytes()).unwrap_err().to_string();
        assert!(
            error.starts_with("podwired's state has version 2, and not 1"),
            "{error}"
        );
        for end in 0..json.trim_end().len() {
            assert!(State::parse(&json.as_bytes()[..end]).is_err());
        }
        assert!(State::parse(br#"{"version": 1}"#).is_err());
    }

    #[test]
    fn ready_when_it_has_converged_in_this_boot() {
        assert_eq!(state().ready("this"), Ok(()));
        assert_eq!(state().ready("next"), Err(NotReady::EarlierBoot));
        let behind = State {
            converged: false,
            peers_programmed: 2,
            last_error: Some("no buffer space".to_owned()),
            ..state()
        };
        assert_eq!(
            behind.ready("this").unwrap_err().to_string(),
            "podwired has programmed 2 of 3 peers: no buffer space"
        );
    }
}
