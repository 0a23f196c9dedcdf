// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::{Family, Mac};

fn parse(json: &str) -> Result<NodeList, String> {
    NodeList::parse(json.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_node_with_everything() {
    let list = parse(
        r#"{"network": ["10.200.0.0/16", "fd00::/48"], "nodes": [{
            "name": "a",
            "underlay": ["192.0.2.1", "2001:db8::1"],
            "mac": "0a:00:00:00:00:01",
            "macV6": "0a:00:00:00:00:02",
            "podCIDRs": ["10.200.0.0/24", "10.200.7.0/24", "fd00::/64"]
        }]}"#,
    )
    .unwrap();
    assert_eq!(list.network.len(), 2);
    let node = &list.nodes[0];
    let underlay = Family::ALL.map(|family| node.underlay.address(family).unwrap().to_string());
    assert_eq!(underlay, ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(node.mac(Family::V4), Mac([10, 0, 0, 0, 0, 1]));
    assert_eq!(node.mac(Family::V6), Mac([10, 0, 0, 0, 0, 2]));
    assert_eq!(node.pod_cidrs(Family::V4).len(), 2);
    assert_eq!(node.pod_cidrs(Family::V6).len(), 1);
}

#[test]
fn a_bare_list_and_single_values_do() {
    let short = r#"[{"name": "a", "underlay": "192.0.2.1", "podCIDRs": "10.200.0.0/24"}]"#;
    let long = r#"{"nodes": [{"name": "a", "underlay": ["192.0.2.1"], "mac": null,
                  "macV6": null, "podCIDRs": ["10.200.0.0/24"]}], "network": null}"#;
    let list = parse(short).unwrap();
    assert_eq!(list, parse(long).unwrap());
    assert_eq!(list.nodes[0].mac(Family::V4), Mac::of_node("a", Family::V4));
}

#[test]
fn what_is_written_is_read_again() {
    let json = r#"[{"name":"a","underlay":["192.0.2.1","2001:db8::1"],"mac":"0a:00:00:00:00:01","podCIDRs":["10.200.0.0/24"]},{"name":"b","underlay":[],"podCIDRs":[]}]"#;
    let list = parse(json).unwrap();
    assert_eq!(serde_json::to_string(&list.nodes).unwrap(), json);
}

#[test]
fn a_file_without_nodes_is_not_a_list_of_none() {
    for json in ["", "{}", "null", "0", "\"nodes\"", r#"{"nodes": null}"#] {
        assert!(parse(json).is_err(), "{json}");
    }
    assert_eq!(parse("[]").unwrap(), NodeList::default());
}

/// A reader that looks while a writer is at work sees any prefix of the file.
#[test]
fn a_file_half_written_is_refused_wherever_it_ends() {
    let whole =
        r#"{"network":"10.200.0.0/16","nodes":[{"name":"a","underlay":"192.0.2.1"},{"name":"b"}]}"#;
    assert!(parse(whole).is_ok());
    for end in 0..whole.len() {
        assert!(parse(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
}

#[test]
fn a_failure_names_the_entry_and_the_place() {
    let cases = [
        (
            r#"[{"name": ""}]"#,
            "nodes[0]: the node has an empty name at line 1 column 13",
        ),
        (
            r#"[{"name": "a"}, {"name": "b", "macv6": "0a:00:00:00:00:01"}]"#,
            "nodes[1]: unknown field `macv6`, expected one of `name`, `underlay`, `mac`, `macV6`, \
             `podCIDRs` at line 1 column 37",
        ),
        (
            r#"[{"podCIDRs": []}]"#,
            "nodes[0]: missing field `name` at line 1 column 17",
        ),
        (
            "{\"nodes\": [\n{\"name\": \"a\", \"underlay\": \"192.0.2.300\"}]}",
            "nodes[0]: \"192.0.2.300\" is not an IP address at line 2 column 39",
        ),
        (
            r#"[{"name": "a", "underlay": ["192.0.2.1", "192.0.2.2"]}]"#,
            "nodes[0]: 192.0.2.1 and 192.0.2.2 are two underlay addresses of one family at line 1 \
             column 54",
        ),
        (
            r#"[{"name": "a", "podCIDRs": "10.200.0.0"}]"#,
            "nodes[0]: \"10.200.0.0\" is not a CIDR such as 10.200.1.0/24 at line 1 column 39",
        ),
        (
            r#"[{"name": "a", "mac": "0a"}]"#,
            "nodes[0]: \"0a\" is not a MAC address such as 02:00:5e:00:53:01 at line 1 column 27",
        ),
        (
            r#"{"node": []}"#,
            "unknown field `node`, expected `network` or `nodes` at line 1 column 7",
        ),
    ];
    for (json, cause) in cases {
        let error = parse(json).unwrap_err();
        assert_eq!(error, format!("the list of nodes cannot be read: {cause}"));
    }
}
