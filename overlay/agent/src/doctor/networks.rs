// SPDX-License-Identifier: Apache-2.0
//! What the networks' configurations say that the host has to provide for. Keys are matched without
//! regard to case, as the plugins do it.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

/// What of a network matters to the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// Its name.
    pub(super) name: String,
    /// Whether a bridge with a gateway carries what its pods send each other.
    pub(super) forwards_past_netfilter: bool,
    /// Whether its pods get IPv4 addresses.
    pub(super) ipv4: bool,
    /// Whether its pods get IPv6 addresses.
    pub(super) ipv6: bool,
}

impl Network {
    /// Whether its pods get IPv4 addresses, as some must where no subnet is known.
    pub(super) fn ipv4_or_unknown(&self) -> bool {
        self.ipv4 || !self.ipv6
    }
}

/// The networks of a runtime's directory, and what keeps one from being read, a sentence each. No
/// directory means no network.
pub(super) fn read(directory: &Path) -> (Vec<Network>, Vec<String>) {
    let (mut networks, mut faults) = (Vec::new(), Vec::new());
    let mut paths: Vec<_> = match fs::read_dir(directory) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            faults.push(format!("cannot read {}: {error}", directory.display()));
            Vec::new()
        }
    };
    paths.retain(|path| {
        let kind = path.extension().and_then(|kind| kind.to_str());
        matches!(kind, Some("conf" | "conflist" | "json"))
    });
    paths.sort();
    for path in paths {
        let content = fs::read(&path).map_err(|error| error.to_string());
        let parsed = content.and_then(|it| serde_json::from_slice(&it).map_err(|e| e.to_string()));
        match parsed {
            Ok(list) => networks.push(network(&list)),
            Err(error) => faults.push(format!(
                "{} can't be read, so runtimes know no network by it: {error}",
                path.display()
            )),
        }
    }
    (networks, faults)
}

fn network(list: &Value) -> Network {
    let several = member(list, "plugins").and_then(Value::as_array);
    let plugins: Vec<&Value> = several.map_or_else(|| vec![list], |all| all.iter().collect());
    let mut subnets = Vec::new();
    collect_subnets(list, &mut subnets);
    let of_family = |sign: char| subnets.iter().any(|subnet| subnet.contains(sign));
    Network {
        name: text(list, "name").to_owned(),
        forwards_past_netfilter: plugins.iter().any(|plugin| forwards_past_netfilter(plugin)),
        ipv4: of_family('.'),
        ipv6: of_family(':'),
    }
}

fn forwards_past_netfilter(plugin: &Value) -> bool {
    let none = Value::Null;
    match text(plugin, "type") {
        "bridge" => {
            let has_ipam =
                member(plugin, "ipam").is_some_and(|ipam| !text(ipam, "type").is_empty());
            let gateway = is_on(plugin, "isGateway") || is_on(plugin, "isDefaultGateway");
            has_ipam && gateway && !is_on(plugin, "routeViaGateway")
        }
        // It has bridge attach them, with a gateway and addresses, unless it is told otherwise.
        "flannel" => {
            let delegate = member(plugin, "delegate").unwrap_or(&none);
            matches!(text(delegate, "type"), "" | "bridge") && !is_on(delegate, "routeViaGateway")
        }
        _ => false,
    }
}

fn collect_subnets<'a>(value: &'a Value, subnets: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str() {
                    Some(text) if key.eq_ignore_ascii_case("subnet") => subnets.push(text),
                    _ => collect_subnets(value, subnets),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|it| collect_subnets(it, subnets)),
        _ => {}
    }
}

fn member<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    let mut members = object.as_object()?.iter();
    members
        .rfind(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| value)
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    member(object, key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn is_on(object: &Value, key: &str) -> bool {
    member(object, key)
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn past(plugin: Value) -> bool {
        network(&json!({"name": "a", "plugins": [plugin]})).forwards_past_netfilter
    }

    #[test]
    fn only_a_bridge_with_a_gateway_forwards_past_netfilter() {
        let bridge = |keys: Value| {
            let mut plugin = json!({"type": "bridge", "isGateway": true, "ipam": {"type": "x"}});
            let members = keys.as_object().unwrap().clone();
            plugin.as_object_mut().unwrap().extend(members);
            past(plugin)
        };
        assert!(bridge(json!({})));
        assert!(bridge(
            json!({"isGateway": false, "ISDEFAULTGATEWAY": true})
        ));
        assert!(!bridge(json!({"isGateway": false})));
        assert!(!bridge(json!({"ipam": {}})));
        assert!(!bridge(json!({"routeviagateway": true})));
        assert!(past(json!({"type": "flannel"})));
        assert!(past(
            json!({"type": "flannel", "delegate": {"isDefaultGateway": true}})
        ));
        assert!(!past(
            json!({"type": "flannel", "delegate": {"routeViaGateway": true}})
        ));
        assert!(!past(
            json!({"type": "flannel", "delegate": {"type": "ptp"}})
        ));
        assert!(!past(json!({"type": "ptp", "ipam": {"type": "x"}})));
    }

    #[test]
    fn families_are_those_of_the_subnets() {
        let families = |ranges: Value| {
            let it = network(&json!({"name": "a", "type": "ptp", "ipam": {"ranges": ranges}}));
            (it.ipv4, it.ipv6)
        };
        assert_eq!(
            families(json!([[{"subnet": "10.0.0.0/24"}]])),
            (true, false)
        );
        assert_eq!(families(json!([[{"Subnet": "fd00::/64"}]])), (false, true));
        assert_eq!(families(json!([])), (false, false));
    }
}
