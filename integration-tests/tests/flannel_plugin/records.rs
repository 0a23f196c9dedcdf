// SPDX-License-Identifier: Apache-2.0
//! Attachments that flannel's own plugin made or takes away. It cannot be had here: what it does
//! is done by hand, that is, to execute a delegate and to keep, or read, the delegate's
//! configuration in a file named by the container's ID.

use integration_tests::{Execution, PATIENCE, Pod, binaries, ping};
use serde_json::json;

use crate::site::{Delegates, RECORDS, Site, cbr0, network};

/// What flannel's plugin writes for kube-flannel's conflist, with the keys in its order.
const WRITTEN: &str = r#"{"cniVersion":"0.3.1","hairpinMode":true,"ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}],[{"subnet":"fd00:244:0:1::/64"}]],"routes":[{"dst":"10.244.0.0/16"},{"dst":"fd00:244::/48"}],"type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","type":"bridge"}"#;

/// A verb of a delegate, as flannel's plugin calls it.
fn execute(site: &Site, verb: &str, pod: &Pod, configuration: &str) {
    let go = binaries::go_plugins();
    let call = Execution::new(go.join("bridge"))
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", pod.name())
        .env("CNI_NETNS", pod.netns().display().to_string())
        .env("CNI_IFNAME", "eth0")
        .env("CNI_PATH", go.display().to_string())
        .stdin(configuration);
    let outcome = call.run(&site.node);
    assert!(outcome.success(), "{outcome}");
}

/// A pod whose attachment flannel's plugin has made.
fn old_pod(site: &Site, name: &str) -> Pod {
    let pod = site.node.pod(name);
    site.node.write(format!("{RECORDS}/{name}"), WRITTEN);
    execute(site, "ADD", &pod, WRITTEN);
    pod
}

#[test]
fn pods_of_flannels_plugin_live_on_and_are_taken_away() {
    let site = Site::new(Delegates::Ours);
    // The conflist may be a newer one by now.
    for version in ["0.3.1", "1.1.0"] {
        let network = network(version, json!({}));
        let [a, b] = ["a", "b"].map(|name| old_pod(&site, name));
        let new = site.node.pod("new");
        site.runner.add(&network, &new, "eth0").unwrap();
        for (from, to) in [(&a, &new), (&new, &b), (&a, &b)] {
            assert!(ping(from, to.ipv4("eth0"), PATIENCE));
            assert!(ping(from, to.ipv6("eth0"), PATIENCE));
        }
        // With and without a sandbox.
        site.runner.del(&network, &a, "eth0").unwrap();
        assert_eq!(a.interfaces(), [""; 0]);
        b.vanish();
        site.runner.del_with(&network, "b", "", "eth0").unwrap();
        assert_eq!(site.records(), ["new"]);
        assert_eq!(site.leases().len(), 2);
        site.runner.del(&network, &new, "eth0").unwrap();
        assert_eq!((site.records(), site.leases()), (Vec::new(), Vec::new()));
    }
}

/// Checking the record of an older version is what the conflist asks for now.
#[test]
fn pods_of_flannels_plugin_can_be_checked_and_collected() {
    let site = Site::new(Delegates::Ours);
    let network = cbr0();
    let [a, b] = ["a", "b"].map(|name| old_pod(&site, name));
    // What the runtime remembers of them.
    let result = json!({
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "eth0", "mac": a.link("eth0").mac.to_string(), "sandbox": "/run/netns/a"}],
        "ips": [{"address": "10.244.1.2/24", "gateway": "10.244.1.1", "interface": 0}],
    });
    let call = |result: &serde_json::Value| {
        let mut configuration = integration_tests::bench::configuration(&network);
        configuration["prevResult"] = result.clone();
        let call = integration_tests::bench::call(&site.runner, &network, "CHECK", "a");
        call.stdin(configuration.to_string()).run(&site.node)
    };
    call(&result).assert_silent();
    let mut other = result.clone();
    other["ips"][0]["address"] = json!("10.244.1.77/24");
    call(&other).assert_refused(105, &["10.244.1.77"]);
    site.runner.gc(&network, &[("b", "eth0")]).unwrap();
    assert_eq!(site.records(), ["b"]);
    assert!(ping(&site.node, b.ipv4("eth0"), PATIENCE));
    site.runner.gc(&network, &[]).unwrap();
    assert_eq!((site.records(), site.leases()), (Vec::new(), Vec::new()));
}

/// The way back: flannel's plugin reads what this one has written, and its delegate takes it.
#[test]
fn flannels_plugin_takes_away_what_this_one_made() {
    for version in ["0.3.1", "1.0.0"] {
        let site = Site::new(Delegates::Ours);
        let pod = site.node.pod("a");
        site.runner
            .add(&network(version, json!({})), &pod, "eth0")
            .unwrap();
        let record = site.node.read(format!("{RECORDS}/a"));
        execute(&site, "DEL", &pod, &record);
        assert_eq!(pod.interfaces(), [""; 0]);
        assert_eq!(site.leases(), [""; 0]);
    }
}

/// flannel's plugin writes in place: a crash leaves a record with nothing, or half of it.
#[test]
fn a_record_that_cannot_be_read_is_no_obstacle() {
    let site = Site::new(Delegates::Ours);
    let network = cbr0();
    for end in [0, 1, WRITTEN.len() / 2] {
        let pod = old_pod(&site, "a");
        site.node.write(format!("{RECORDS}/a"), &WRITTEN[..end]);
        site.runner.del(&network, &pod, "eth0").unwrap();
        assert_eq!(pod.interfaces(), [""; 0]);
        assert_eq!((site.records(), site.leases()), (Vec::new(), Vec::new()));
    }
}

#[test]
fn records_of_other_networks_are_left_alone() {
    let site = Site::new(Delegates::Ours);
    let (network, pod) = (cbr0(), site.node.pod("a"));
    let other = WRITTEN.replace("cbr0", "other");
    site.node.write(format!("{RECORDS}/a"), &other);
    site.node.write(format!("{RECORDS}/strange"), "{");
    site.runner.add(&network, &pod, "eth0").unwrap();
    assert_eq!(site.records(), ["a", "a:eth0", "strange"]);
    site.runner.gc(&network, &[("a", "eth0")]).unwrap();
    site.runner.del(&network, &pod, "eth0").unwrap();
    site.runner.del(&network, &pod, "eth0").unwrap();
    site.runner.gc(&network, &[]).unwrap();
    assert_eq!(site.records(), ["a", "strange"]);
    assert_eq!(site.node.read(format!("{RECORDS}/a")), other);
}
