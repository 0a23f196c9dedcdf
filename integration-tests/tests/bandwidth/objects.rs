// SPDX-License-Identifier: Apache-2.0
//! What operators and other programs find in the kernel and in results.

use integration_tests::{Bench, Network, Runner, binaries};
use serde_json::json;

use crate::{alone, attach, chain, ifbs, interfaces, limits};

#[test]
fn without_limits_there_is_nothing_but_the_result() {
    let bench = Bench::new();
    for keys in [json!({}), json!({"ingressRate": 0, "egressBurst": 0})] {
        let network = chain(&bench, &keys);
        let pod = bench.node.pod("pod");
        let result = bench.runner.add(&network, &pod, "eth0").unwrap();
        assert_eq!(interfaces(&result).len(), 3, "{result}");
        let port = bench.runner.port(&network, &pod);
        let shown = bench.node.tool("tc", &format!("qdisc show dev {port}"));
        assert!(shown.contains("noqueue"), "{shown}");
        assert_eq!(ifbs(&bench.node), [""; 0]);
        bench.runner.check(&network, &pod, "eth0").unwrap();
        bench.runner.del(&network, &pod, "eth0").unwrap();
        bench.assert_clean();
        // Nothing is even looked at.
        let mut plugin = alone(&keys);
        plugin["prevResult"] = result.clone();
        let call = bench.call_with("ADD", "pod", &plugin);
        let call = call.env("CNI_NETNS", "/run/netns/none");
        assert_eq!(call.run(&bench.node).result(), result);
    }
}

#[test]
fn tc_shows_the_limits_where_the_reference_plugin_has_them() {
    let bench = Bench::new();
    let keys = json!({
        "ingressRate": 1_000_000, "ingressBurst": 100_000,
        "egressRate": 40_000_000_000_u64, "egressBurst": 80_000_000,
    });
    let network = chain(&bench, &keys);
    let pod = attach(&bench, &network, "pod");
    let port = bench.runner.port(&network, &pod);
    let result = bench.runner.result(&network, "pod", "eth0").unwrap();
    let digest = bench.node.run(|| {
        let output = std::process::Command::new("sh")
            .args(["-c", "printf podspod | sha512sum"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    });
    let ifb = format!("bwp{}", &digest[..12]);
    assert_eq!(ifbs(&bench.node), [ifb.as_str()]);
    let link = bench.node.link(&ifb);
    let reported = result["interfaces"].as_array().unwrap().last().unwrap();
    let wanted = json!({"name": ifb, "mac": link.mac.to_string(), "mtu": 1500});
    assert_eq!(reported, &wanted);
    assert_eq!((link.mtu, link.up), (1500, true));
    assert_eq!(link.alias.as_deref(), Some("podwire pods pod eth0"));
    let own = bench.node.ip(&format!("-6 address show dev {ifb}"));
    assert_eq!(own, "", "it sends nothing of its own");

    let tc = |arguments: &str| bench.node.tool("tc", arguments);
    let shown = tc(&format!("qdisc show dev {port}"));
    for words in [
        "qdisc tbf 1: root ",
        " rate 1Mbit burst 12500b lat 25ms",
        "qdisc ingress ffff: parent ffff:fff1",
    ] {
        assert!(shown.contains(words), "{words:?} in {shown}");
    }
    let shown = tc(&format!("qdisc show dev {ifb}"));
    assert!(shown.contains("qdisc tbf 1: root "), "{shown}");
    assert!(shown.contains(" rate 40Gbit burst "), "{shown}");
    let shown = tc(&format!("filter show dev {port} parent ffff:"));
    let redirect = format!("mirred (Egress Redirect to device {ifb}) stolen");
    assert!(shown.contains(&redirect), "{shown}");
}

#[test]
fn an_annotation_has_a_burst_that_fits_its_rate() {
    let bench = Bench::new();
    let network = chain(&bench, &json!({}));
    // dockershim's, containerd's and CRI-O's.
    for burst in [2_147_483_647_u64, 4_294_967_295, 34_359_738_359] {
        let annotations = json!({"ingressRate": 16_000_000, "ingressBurst": burst});
        let annotated = |runner: Runner| runner.with_capability("bandwidth", annotations.clone());
        let runner = annotated(Runner::new(&bench.node));
        let pod = runner.attach(&network, &bench.node);
        let port = runner.port(&network, &pod);
        let shown = bench
            .node
            .tool("tc", &format!("qdisc show dev {port} root"));
        assert!(shown.contains(" rate 16Mbit burst 200000b "), "{shown}");
        runner.check(&network, &pod, "eth0").unwrap();
        runner.del(&network, &pod, "eth0").unwrap();
        // With pods of the reference plugin's nothing is wrong.
        let go = annotated(Runner::with_plugins(&bench.node, binaries::go_plugins()));
        let pod = bench.node.pod("old");
        let mut check = alone(&json!({"runtimeConfig": {"bandwidth": annotations}}));
        check["prevResult"] = go.add(&network, &pod, "eth0").unwrap();
        let check = bench.call_with("CHECK", "old", &check);
        check.run(&bench.node).assert_silent();
        go.del(&network, &pod, "eth0").unwrap();
    }
}

#[test]
fn two_interfaces_of_a_container_on_one_network_have_an_ifb_each() {
    let bench = Bench::new();
    let network = chain(&bench, &limits());
    let pod = bench.node.pod("pod");
    let runner = &bench.runner;
    let results = ["eth0", "net1"].map(|name| runner.add(&network, &pod, name).unwrap());
    let [first, second] = results
        .each_ref()
        .map(|result| *interfaces(result).last().unwrap());
    assert_ne!(first, second);
    assert_eq!(ifbs(&bench.node).len(), 2);
    for name in ["eth0", "net1"] {
        runner.check(&network, &pod, name).unwrap();
    }
    // In the order that a name alone would get wrong, and without a result.
    runner.forget(&network, "pod", "net1");
    for _ in 0..2 {
        runner.del(&network, &pod, "net1").unwrap();
        assert_eq!(ifbs(&bench.node), [first]);
    }
    runner.check(&network, &pod, "eth0").unwrap();
    runner.add(&network, &pod, "net1").unwrap();
    runner.forget(&network, "pod", "eth0");
    runner.del(&network, &pod, "eth0").unwrap();
    assert_eq!(ifbs(&bench.node), [second]);
    runner.check(&network, &pod, "net1").unwrap();
    runner.del(&network, &pod, "net1").unwrap();
    bench.assert_clean();
}

#[test]
fn every_version_with_chains_is_answered_in_its_own_form() {
    let bench = Bench::new();
    for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        let mut list: serde_json::Value =
            serde_json::from_str(&chain(&bench, &limits()).text()).unwrap();
        list["cniVersion"] = json!(version);
        let network = Network::new(list);
        let pod = bench.node.pod("pod");
        let result = bench.runner.add(&network, &pod, "eth0").unwrap();
        assert_eq!(result["cniVersion"], json!(version));
        let ifb = result["interfaces"].as_array().unwrap().last().unwrap();
        assert_eq!(ifb.get("mtu").is_some(), version == "1.1.0", "{result}");
        assert_eq!(ifbs(&bench.node), [ifb["name"].as_str().unwrap()]);
        if version >= "0.4.0" {
            bench.runner.check(&network, &pod, "eth0").unwrap();
        }
        bench.runner.del(&network, &pod, "eth0").unwrap();
        bench.assert_clean();
    }
    let old = bench.call_with(
        "ADD",
        "pod",
        &json!({"cniVersion": "0.2.0", "name": "pods", "type": "bandwidth"}),
    );
    bench.assert_refuses(&old, 1, &["incompatible CNI versions"]);
}
