// SPDX-License-Identifier: Apache-2.0
//! Templates and what becomes of them.

use serde_json::json;

use super::*;

fn networks(texts: &[&str]) -> Vec<ipnetwork::IpNetwork> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn filled(template: Value, pod_cidrs: &[&str], state: Option<&Path>) -> Value {
    let (pod_cidrs, network) = (
        networks(pod_cidrs),
        networks(&["10.200.0.0/16", "fd00:200::/48"]),
    );
    let mut list = template;
    fill::fill(
        &mut list,
        &Facts {
            pod_cidrs: &pod_cidrs,
            network: &network,
            pod_mtu: 1430,
            state,
        },
    );
    list
}

#[test]
fn the_built_in_template_becomes_a_conflist() {
    let list = filled(
        parse(BUILT_IN).unwrap(),
        &["10.200.1.0/24", "fd00:200:1::/64"],
        None,
    );
    assert_eq!(
        list,
        json!({
            "cniVersion": "1.0.0",
            "name": "podwire",
            "plugins": [
                {
                    "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
                    "hairpinMode": true, "mtu": 1430,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": "10.200.1.0/24"}], [{"subnet": "fd00:200:1::/64"}]],
                        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                    },
                },
                {"type": "vxlan", "network": ["10.200.0.0/16", "fd00:200::/48"]},
            ],
        })
    );
}

#[test]
fn what_the_template_says_stays() {
    let template = json!({"plugins": [
        {"type": "bridge", "MTU": 1400, "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}},
        {"type": "bridge", "mtu": 1400, "ipam": {"type": "static"}},
        {"type": "bridge", "mtu": 1400, "ipam": {"type": "host-local", "ranges": [[]]}},
        {"type": "vxlan", "network": "10.0.0.0/8", "stateFile": "/other"},
        {"type": "vxlan", "network": "10.0.0.0/8", "nodesFile": "/nodes"},
        {"type": "flannel", "ipam": {"type": "host-local", "dataDir": "/x"}},
        {"type": "portmap", "capabilities": {"portMappings": true}},
    ]});
    let same = filled(template.clone(), &["10.200.1.0/24"], Some(Path::new("/s")));
    assert_eq!(same, template);
}

#[test]
fn what_plugins_take_for_absent_is_filled_in_its_place() {
    let template = json!({"plugins": [
        {"type": "bridge", "Mtu": 0, "ipam": {"type": "host-local", "Ranges": null, "routes": []}},
        {"type": "vxlan", "network": ""},
    ]});
    let list = filled(template, &["fd00:200:1::/64"], Some(Path::new("/s")));
    let expected = json!({"plugins": [
        {"type": "bridge", "Mtu": 1430, "ipam": {
            "type": "host-local", "Ranges": [[{"subnet": "fd00:200:1::/64"}]],
            "routes": [{"dst": "::/0"}],
        }},
        {"type": "vxlan", "network": ["10.200.0.0/16", "fd00:200::/48"], "stateFile": "/s"},
    ]});
    assert_eq!(list, expected);
}

#[test]
fn routes_of_the_template_stay_beside_our_ranges() {
    let routes = json!([{"dst": "10.0.0.0/8"}]);
    let ipam = json!({"type": "host-local", "routes": routes});
    let list = filled(
        json!({"plugins": [{"type": "x", "ipam": ipam}]}),
        &["10.200.1.0/24"],
        None,
    );
    assert_eq!(list["plugins"][0]["ipam"]["routes"], routes);
    assert!(list["plugins"][0]["ipam"]["ranges"].is_array());
}

#[test]
fn what_is_no_conflist_is_refused_with_the_reason() {
    for (text, expected) in [
        ("", "EOF"),
        ("[]", "cniVersion"),
        (r#"{"cniVersion": "1.0.0"}"#, "\"name\""),
        (r#"{"cniVersion": "1.0.0", "name": "n"}"#, "\"plugins\""),
        (
            r#"{"cniVersion": "1.0.0", "name": "n", "plugins": []}"#,
            "no plugins",
        ),
        (
            r#"{"cniVersion": "1.0.0", "name": "n", "plugins": [{}]}"#,
            "\"type\"",
        ),
    ] {
        let fault = parse(text).unwrap_err();
        assert!(fault.contains(expected), "{text}: {fault}");
    }
}

#[test]
fn it_is_written_when_it_differs_and_only_then() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("10-podwire.conflist");
    let conflist = Conflist {
        path: path.clone(),
        template: None,
    };
    let pod_cidrs = networks(&["10.200.1.0/24"]);
    let facts = |pod_mtu| Facts {
        pod_cidrs: &pod_cidrs,
        network: &pod_cidrs,
        pod_mtu,
        state: None,
    };
    assert!(conflist.ensure(&facts(1450)).unwrap());
    assert!(!conflist.ensure(&facts(1450)).unwrap());
    assert!(conflist.ensure(&facts(1400)).unwrap());
    fs::write(&path, "").unwrap();
    assert!(conflist.ensure(&facts(1400)).unwrap());
    let list: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(list["plugins"][0]["mtu"], 1400);
}
