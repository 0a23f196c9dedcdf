// SPDX-License-Identifier: Apache-2.0
//! `net-conf.json`, in which a cluster's flannel says what its nodes agree on. Keys count without
//! regard to case, and unknown ones not at all, as Go decodes it.

use std::io;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use ipnetwork::IpNetwork;
use serde_json::{Map, Value};
use topology::{Settings, Vni};

use super::Lines;
use crate::cli::cidr;

/// What of the file an overlay of ours takes over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NetConf {
    network: Vec<IpNetwork>,
    vni: Option<Vni>,
    port: Option<NonZeroU16>,
    mtu: Option<NonZeroU32>,
    direct_routing: bool,
}

/// Why there is nothing to take over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetConfError {
    #[error("cannot read flannel's configuration {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("flannel's configuration {} cannot be taken over:{faults}", path.display())]
    Refused { path: PathBuf, faults: Lines },
}

impl NetConf {
    pub(crate) fn read(path: &Path) -> Result<Self, NetConfError> {
        let text = std::fs::read_to_string(path).map_err(|error| NetConfError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        Self::parse(&text).map_err(|faults| NetConfError::Refused {
            path: path.to_owned(),
            faults,
        })
    }

    /// Reads the file's content, or tells all that is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, Lines> {
        let root = serde_json::from_str(text).map_err(|error| Lines(vec![error.to_string()]))?;
        let mut reader = Reader::default();
        let root = Object::of(&root, "");
        let conf = Self {
            network: reader.networks(&root),
            ..reader.backend(&root)
        };
        if reader.faults.is_empty() {
            Ok(conf)
        } else {
            Err(Lines(reader.faults))
        }
    }

    /// The settings that it makes of those that are the default otherwise.
    pub(crate) fn settings(self) -> Settings {
        let default = Settings::default();
        Settings {
            network: self.network,
            vni: self.vni.unwrap_or(default.vni),
            port: self.port.unwrap_or(default.port),
            mtu: self.mtu,
            direct_routing: self.direct_routing,
            ..default
        }
    }
}

/// A JSON object whose keys count without regard to case. Of what is no object there is no key.
struct Object<'a> {
    keys: Option<&'a Map<String, Value>>,
    /// What errors put before a key.
    path: &'static str,
}

impl<'a> Object<'a> {
    fn of(value: &'a Value, path: &'static str) -> Self {
        let keys = value.as_object();
        Self { keys, path }
    }

    /// The value of a key; null is none.
    fn get(&self, key: &str) -> Option<&'a Value> {
        let mut keys = self.keys?.iter();
        let found = keys.find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value).filter(|it| !it.is_null())
    }
}

/// Reads, and goes on when something is wrong.
#[derive(Default)]
struct Reader {
    faults: Vec<String>,
}

impl Reader {
    fn networks(&mut self, root: &Object<'_>) -> Vec<IpNetwork> {
        let families = [
            ("EnableIPv4", true, "Network"),
            ("EnableIPv6", false, "IPv6Network"),
        ];
        let mut networks = Vec::new();
        for (switch, default, key) in families {
            if !self.truth(root, switch, default) {
                continue;
            }
            match root.get(key).and_then(Value::as_str).map(cidr) {
                Some(Ok(network)) if network.is_ipv4() == (key == "Network") => {
                    networks.push(network);
                }
                _ => self.fault(root, key, "is no network of its family"),
            }
        }
        networks
    }

    fn backend(&mut self, root: &Object<'_>) -> NetConf {
        let Some(backend) = root.get("Backend") else {
            self.faults.push(
                "it has no Backend, by which flannel takes \"udp\"; only \"vxlan\" is known here"
                    .to_owned(),
            );
            return NetConf::default();
        };
        let backend = Object::of(backend, "Backend.");
        let kind = backend
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !kind.eq_ignore_ascii_case("vxlan") {
            let what = format!("is {kind:?}; only \"vxlan\" is known here");
            self.fault(&backend, "Type", &what);
            return NetConf::default();
        }
        let refused = [
            ("GBP", "is true; group policies are not carried here"),
            (
                "Learning",
                "is true; nothing is learned here, and peers need not",
            ),
        ];
        for (key, what) in refused {
            if self.truth(&backend, key, false) {
                self.fault(&backend, key, what);
            }
        }
        NetConf {
            network: Vec::new(),
            vni: self.number(&backend, "VNI", |it| it.to_string().parse().ok()),
            port: self.number_but_zero(&backend, "Port"),
            mtu: self.number_but_zero(&backend, "MTU"),
            direct_routing: self.truth(&backend, "DirectRouting", false),
        }
    }

    fn truth(&mut self, object: &Object<'_>, key: &str, default: bool) -> bool {
        match object.get(key) {
            None => default,
            Some(Value::Bool(is)) => *is,
            Some(_) => {
                self.fault(object, key, "is neither true nor false");
                default
            }
        }
    }

    fn number<T>(
        &mut self,
        object: &Object<'_>,
        key: &str,
        fits: impl FnOnce(u64) -> Option<T>,
    ) -> Option<T> {
        let value = object.get(key)?;
        let number = value.as_u64().and_then(fits);
        if number.is_none() {
            self.fault(object, key, &format!("is {value}, out of its range"));
        }
        number
    }

    /// Zero is absence.
    fn number_but_zero<T: TryFrom<NonZeroU64>>(
        &mut self,
        object: &Object<'_>,
        key: &str,
    ) -> Option<T> {
        if object.get(key).and_then(Value::as_u64) == Some(0) {
            return None;
        }
        let fits = |number| T::try_from(NonZeroU64::new(number)?).ok();
        self.number(object, key, fits)
    }

    fn fault(&mut self, object: &Object<'_>, key: &str, what: &str) {
        self.faults.push(format!("{}{key} {what}", object.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        NetConf::parse(text).unwrap().settings()
    }

    fn faults(text: &str) -> Vec<String> {
        NetConf::parse(text).unwrap_err().0
    }

    #[test]
    fn the_shipped_configuration_has_the_defaults() {
        let text = r#"{"Network": "10.244.0.0/16", "EnableNFTables": false,
            "Backend": {"Type": "vxlan"}}"#;
        let network = vec!["10.244.0.0/16".parse().unwrap()];
        let default = Settings::default();
        assert_eq!(settings(text), Settings { network, ..default });
    }

    #[test]
    fn every_key_is_taken_over_however_it_is_written() {
        let text = r#"{"network": "10.244.3.1/16", "ENABLEIPV6": true, "SubnetLen": 24,
            "IPv6Network": "fd00:244::/48", "backend": {"type": "VXLAN", "vni": 5, "port": 4789,
            "mtu": 1400, "directrouting": true, "gbp": false, "Learning": null}}"#;
        let expected = r#"{"network": ["10.244.0.0/16", "fd00:244::/48"], "vni": 5,
            "port": 4789, "mtu": 1400, "directRouting": true}"#;
        let expected: Settings = serde_json::from_str(expected).unwrap();
        assert_eq!(settings(text), expected);
    }

    #[test]
    fn a_family_that_is_not_enabled_has_no_network() {
        let text = r#"{"EnableIPv4": false, "EnableIPv6": true, "Network": "10.244.0.0/16",
            "IPv6Network": "fd00:244::/48", "Backend": {"Type": "vxlan", "Port": 0, "MTU": 0}}"#;
        let network = vec!["fd00:244::/48".parse().unwrap()];
        let default = Settings::default();
        assert_eq!(settings(text), Settings { network, ..default });
    }

    #[test]
    fn all_that_cannot_be_taken_over_is_told_at_once() {
        let text = r#"{"Network": "10.244.0.0", "EnableIPv6": 1, "Backend": {"Type": "vxlan",
            "VNI": 16777216, "Port": 65536, "GBP": true, "Learning": true, "DirectRouting": "yes"}}"#;
        let told = faults(text);
        let keys: Vec<_> = told.iter().filter_map(|it| it.split(' ').next()).collect();
        let backend = ["GBP", "Learning", "VNI", "Port", "DirectRouting"];
        let backend = backend.map(|key| format!("Backend.{key}"));
        assert_eq!(keys[..2], ["Network", "EnableIPv6"]);
        assert_eq!(keys[2..], backend, "{told:?}");
    }

    #[test]
    fn other_backends_are_refused_by_name() {
        for (backend, expected) in [
            ("", "no Backend"),
            (r#", "Backend": {}"#, "\"\""),
            (r#", "Backend": "vxlan""#, "\"\""),
            (
                r#", "Backend": {"Type": "wireguard", "GBP": true}"#,
                "wireguard",
            ),
        ] {
            let told = faults(&format!(r#"{{"Network": "10.244.0.0/16"{backend}}}"#));
            assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        }
        for text in ["", "[]", "{}", "null"] {
            assert!(!faults(text).is_empty(), "{text}");
        }
    }
}
