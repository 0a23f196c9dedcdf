// SPDX-License-Identifier: Apache-2.0
//! The plugin `vxlan` behind `bridge`, on one node: what each verb makes, says and refuses.

use integration_tests::{LoneNode, Network, State};
use serde_json::{Value, json};

#[test]
fn add_programs_the_overlay_and_fits_the_attachment() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(3)}));
    let pod = site.node.pod("a");
    let result = site.add(&network, &pod);
    assert_eq!(site.routes("-4"), 3);
    let port = result["interfaces"][1]["name"].as_str().unwrap();
    for link in ["podwire.1", "cni0", port] {
        assert_eq!(site.node.mtu(link), 1450, "{link}");
    }
    assert_eq!(pod.mtu("eth0"), 1450);
    let reported: Vec<_> = (0..3)
        .map(|i| result["interfaces"][i]["mtu"].clone())
        .collect();
    assert_eq!(reported, [json!(1450), json!(1450), json!(1450)]);
    let rules = site.node.tool("nft", "list ruleset");
    for words in [
        "table inet podwire-overlay",
        "iifname \"cni0\" counter",
        "10.200.0.0/16 accept",
    ] {
        assert!(rules.contains(words), "{words}: {rules}");
    }
    assert_eq!(site.check(&network, &pod), None);
}

#[test]
fn del_leaves_the_overlay_and_needs_nothing() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(2)}));
    let pod = site.node.pod("a");
    site.add(&network, &pod);
    for _ in 0..2 {
        site.runner.del(&network, &pod, "eth0").unwrap();
        assert_eq!(site.routes("-4"), 2);
    }
    let call = site.runner.call(
        "DEL",
        &network,
        &json!({"type": "vxlan", "vni": "no"}),
        None,
    );
    let call = call.env("CNI_CONTAINERID", "a").env("CNI_IFNAME", "eth0");
    call.run(&site.node).assert_silent();
}

#[test]
fn status_says_whether_an_add_would_work_and_makes_nothing() {
    let site = LoneNode::new();
    let usable = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(2)}));
    let before = State::of(&site.node);
    assert_eq!(site.status(&usable), None);
    for (keys, words) in [
        (json!({"nodes": []}), "none of the 0 nodes"),
        (
            json!({"nodes": LoneNode::nodes(2), "node": "else"}),
            "node else",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "network": "10.201.0.0/16"}),
            "10.201.0.0/16",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "node": "peer1"}),
            "198.18.0.1",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "underlay": "eth7"}),
            "eth7",
        ),
        (
            json!({"nodesFile": "/etc/nowhere/nodes.json"}),
            "/etc/nowhere/nodes.json",
        ),
        (json!({}), "/run/podwire/overlay.json"),
    ] {
        let (code, text) = site
            .status(&Network::of_lone_node(&keys))
            .unwrap_or_else(|| panic!("{keys}"));
        assert!(code == 50 && text.contains(words), "{code} {text}");
    }
    before.assert_nothing_left(&site.node, &[]);
    site.add(&usable, &site.node.pod("a"));
    assert_eq!(site.status(&usable), None);
}

#[test]
fn add_refuses_what_gives_this_node_no_overlay() {
    let site = LoneNode::new();
    let pod = site.node.pod("a");
    site.node
        .write("/run/lab/half.json", r#"[{"name": "own", "und"#);
    for (keys, code, words) in [
        (
            json!({"nodes": [], "nodesFile": "/x"}),
            7,
            "nodes and nodesFile",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "network": null}),
            7,
            "no network is given",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "node": "else"}),
            7,
            "node else, which is this one",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "network": "10.201.0.0/16"}),
            7,
            "10.200.0.0/24 is not within",
        ),
        (
            json!({"nodesFile": "/run/lab/none.json"}),
            7,
            "/run/lab/none.json",
        ),
        (
            json!({"nodesFile": "/run/lab/half.json"}),
            7,
            "EOF while parsing",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "node": "peer1"}),
            11,
            "no link of this node has",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "underlay": "eth7"}),
            11,
            "eth7",
        ),
        (
            json!({"nodes": LoneNode::nodes(2), "mtu": 100}),
            11,
            "MTU 100 is too small",
        ),
        (
            json!({}),
            11,
            "podwired has not run since this node was started",
        ),
    ] {
        let (found, text) = site.refused(&Network::of_lone_node(&keys), &pod);
        assert!(
            found == code && text.contains(words),
            "{keys}: {found} {text}"
        );
        site.runner
            .del(&Network::of_lone_node(&keys), &pod, "eth0")
            .unwrap();
    }
    assert!(!site.node.interfaces().contains(&"podwire.1".to_owned()));
}

#[test]
fn a_result_of_the_plugin_before_is_required() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(1)}));
    let _pod = site.node.pod("a");
    let plugin = json!({"type": "vxlan"});
    for verb in ["ADD", "CHECK"] {
        let call = site.runner.call(verb, &network, &plugin, None);
        let call = call.env("CNI_CONTAINERID", "a").env("CNI_IFNAME", "eth0");
        let outcome = call.env("CNI_NETNS", "/run/netns/a").run(&site.node);
        outcome.assert_refused(7, &["Required prevResult missing"]);
    }
}

/// What the agent says when it has converged, with these keys instead.
fn state(site: &LoneNode, keys: &Value) -> String {
    let boot = site.node.read("/proc/sys/kernel/random/boot_id");
    let mut state = json!({
        "version": 1, "node": "own", "devices": ["podwire.1"], "podMtu": 1400,
        "settings": {"network": ["10.200.0.0/16"]}, "takesOver": false,
        "podCIDRs": ["10.200.0.0/24"], "converged": true, "since": 1, "peersWished": 2,
        "peersProgrammed": 2, "differing": 0, "written": 1, "bootId": boot.trim(),
    });
    for (key, value) in keys.as_object().expect("keys are an object") {
        state[key] = value.clone();
    }
    state.to_string()
}

#[test]
fn with_an_agent_its_state_decides() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({}));
    let pod = site.node.pod("a");
    let below = "id 1 dstport 8472 local 192.0.2.2 dev eth0 nolearning";
    site.node
        .ip(&format!("link add podwire.1 up type vxlan {below}"));
    site.node
        .write("/run/podwire/overlay.json", state(&site, &json!({})));
    assert_eq!(site.status(&network), None);
    let result = site.add(&network, &pod);
    assert_eq!(result["interfaces"][2]["mtu"], 1400);
    assert_eq!(pod.mtu("eth0"), 1400);
    assert_eq!(site.check(&network, &pod), None);
    let behind = json!({"converged": false, "peersProgrammed": 1, "lastError": "no memory"});
    let cases = [
        (state(&site, &behind), "1 of 2 peers: no memory"),
        (
            state(&site, &json!({"bootId": "other"})),
            "since the node was started",
        ),
        (
            state(&site, &json!({"devices": ["podwire.2"]})),
            "\"podwire.2\" is gone",
        ),
        (
            state(&site, &json!({"devices": ["eth0"]})),
            "\"eth0\" is no VXLAN device",
        ),
        (state(&site, &json!({"version": 2})), "different releases"),
        ("{".to_owned(), "not a state of podwired's"),
    ];
    for (state, words) in cases {
        site.node.write("/run/podwire/overlay.json", &state);
        let other = site.node.pod("b");
        let added = site.refused(&network, &other);
        let (checked, asked) = (site.check(&network, &pod), site.status(&network));
        site.runner.del(&network, &other, "eth0").unwrap();
        for (code, found) in [(11, Some(added)), (105, checked), (50, asked)] {
            let (found, text) = found.unwrap_or_else(|| panic!("{code} {state}"));
            assert!(found == code && text.contains(words), "{found} {text}");
            assert!(text.contains("podwired status"), "{text}");
        }
    }
    site.runner.gc(&network, &[("a", "eth0")]).unwrap();
}

#[test]
fn a_device_of_the_agents_that_is_down_carries_nothing() {
    let site = LoneNode::new();
    let network = Network::of_lone_node(&json!({}));
    let below = "id 1 dstport 8472 local 192.0.2.2 dev eth0 nolearning";
    site.node
        .ip(&format!("link add podwire.1 type vxlan {below}"));
    site.node
        .write("/run/podwire/overlay.json", state(&site, &json!({})));
    let (code, text) = site.refused(&network, &site.node.pod("a"));
    assert!(
        code == 11 && text.contains("\"podwire.1\" is down"),
        "{code} {text}"
    );
}

#[test]
fn gc_repairs_and_sweeps() {
    let site = LoneNode::new();
    let pod = site.node.pod("a");
    site.add(
        &Network::of_lone_node(&json!({"nodes": LoneNode::nodes(3)})),
        &pod,
    );
    site.node.ip("route flush proto 118");
    let fewer = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(2)}));
    site.runner.gc(&fewer, &[]).unwrap();
    assert_eq!(site.routes("-4"), 2);
    let fdb = site.node.tool("bridge", "fdb show dev podwire.1");
    assert_eq!(
        fdb.lines().filter(|line| line.contains("dst")).count(),
        2,
        "{fdb}"
    );
}

#[test]
fn versions_pass_the_result_through() {
    for version in [
        "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
    ] {
        let site = LoneNode::new();
        let network = Network::of_lone_node(&json!({"nodes": LoneNode::nodes(1)}));
        let mut list: Value = serde_json::from_str(&network.text()).unwrap();
        list["cniVersion"] = json!(version);
        let network = Network::new(list);
        let pod = site.node.pod("a");
        let whole = site.add(&network, &pod);
        assert_eq!(whole["cniVersion"], version);
        assert_eq!(pod.mtu("eth0"), 1450, "{version}");
        let text = whole.to_string();
        assert_eq!(text.contains("\"mtu\":1450"), version == "1.1.0", "{text}");
        site.runner.del(&network, &pod, "eth0").unwrap();
    }
}
