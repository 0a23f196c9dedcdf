// SPDX-License-Identifier: Apache-2.0
//! What the own Node says, understood; and how a Node's addresses and pod CIDRs are read.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use topology::Fault;

use crate::annotations::{OwnAnnotations, Prefix};
use crate::object::OwnObject;
use crate::snapshot::OwnNode;

impl OwnNode {
    pub(crate) fn read(object: &OwnObject, prefix: &Prefix) -> Self {
        let mut faults = Vec::new();
        let pod_cidrs = pod_cidrs(&object.pod_cidrs);
        let internal_ips = object.internal_ips.iter().map(|text| address(text));
        let (internal_ips, wrong): (Vec<_>, Vec<_>) = internal_ips.partition(Result::is_ok);
        faults.extend(wrong.into_iter().filter_map(Result::err));
        Self {
            uid: object.uid.to_string(),
            pod_cidrs: pod_cidrs.unwrap_or_else(|fault| {
                faults.push(fault);
                Vec::new()
            }),
            internal_ips: internal_ips.into_iter().filter_map(Result::ok).collect(),
            annotations: OwnAnnotations::read(&object.annotations, prefix),
            faults,
        }
    }
}

fn address(text: &str) -> Result<IpAddr, Fault> {
    text.parse().map_err(|_| Fault::Unreadable {
        what: "InternalIP".to_owned(),
        why: format!("{text:?} is not an IP address"),
    })
}

/// A node's pod CIDRs, none of which may be wrong: half of them would be another node.
pub(crate) fn pod_cidrs(texts: &[String]) -> Result<Vec<IpNetwork>, Fault> {
    let read = |text: &String| {
        cidr(text).ok_or_else(|| Fault::Unreadable {
            what: "pod CIDR".to_owned(),
            why: format!("{text:?} is not a network such as 10.244.1.0/24"),
        })
    };
    texts.iter().map(read).collect()
}

/// An address and a prefix length: `IpNetwork` by itself takes netmasks and bare addresses, too.
fn cidr(text: &str) -> Option<IpNetwork> {
    let (address, length) = text.split_once('/')?;
    let length = length
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(length)?;
    let network = IpNetwork::new(address.parse().ok()?, length.parse().ok()?).ok()?;
    IpNetwork::new(network.network(), network.prefix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Whole;

    fn own(json: serde_json::Value) -> OwnNode {
        let whole: Whole = serde_json::from_value(json).unwrap();
        let prefix = Prefix::default();
        OwnNode::read(&whole.reduced(&prefix), &prefix)
    }

    #[test]
    fn a_node_with_a_name_alone_is_a_node() {
        let node = own(serde_json::json!({"metadata": {"name": "a", "annotations": null}}));
        assert_eq!(node, OwnNode::default());
    }

    #[test]
    fn pod_cidrs_and_internal_addresses_are_found() {
        let node = own(serde_json::json!({
            "metadata": {"name": "a", "uid": "u", "annotations": {"other": "x"}},
            "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.7/24", "fd00:1::/64"]},
            "status": {"addresses": [
                {"type": "Hostname", "address": "a"},
                {"type": "InternalIP", "address": "192.0.2.1"},
                {"type": "InternalIP", "address": "none"},
                {"type": "InternalIP", "address": "2001:db8::1"}]},
        }));
        let cidrs: Vec<_> = node.pod_cidrs.iter().map(IpNetwork::to_string).collect();
        assert_eq!(cidrs, ["10.244.1.0/24", "fd00:1::/64"]);
        let addresses: Vec<_> = node.internal_ips.iter().map(IpAddr::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1", "2001:db8::1"]);
        let faults: Vec<_> = node.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            ["its InternalIP cannot be read: \"none\" is not an IP address"]
        );
    }

    #[test]
    fn one_wrong_pod_cidr_spoils_all() {
        for text in [
            "",
            "10.1.0.0",
            "10.1.0.0/",
            "10.1.0.0/255.0.0.0",
            "10.1.0.0/33",
            "x/24",
        ] {
            let texts = ["10.0.0.0/24".to_owned(), text.to_owned()];
            let fault = pod_cidrs(&texts).unwrap_err().to_string();
            assert_eq!(
                fault,
                format!(
                    "its pod CIDR cannot be read: {text:?} is not a network such as 10.244.1.0/24"
                )
            );
        }
        let node = own(serde_json::json!({
            "metadata": {"name": "a"}, "spec": {"podCIDR": "10.1.0.0/99"},
        }));
        assert!(node.pod_cidrs.is_empty() && node.faults.len() == 1);
    }
}
