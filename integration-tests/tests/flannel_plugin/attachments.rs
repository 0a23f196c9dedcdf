// SPDX-License-Identifier: Apache-2.0
//! What the plugin knows of attachments, and what becomes of it.

use integration_tests::{Network, PATIENCE, Runner, ping};
use serde_json::json;

use crate::site::{DELEGATES, Delegates, SUBNET_ENV, SUBNET_FILE, Site, cbr0, network};

#[test]
fn two_attachments_of_one_container_know_nothing_of_each_other() {
    for delegates in DELEGATES {
        let site = Site::new(delegates);
        let other = SUBNET_ENV
            .replace("10.244.1.", "10.244.2.")
            .replace(":1::1/", ":2::1/");
        site.node.write("/run/lab/other.env", other);
        let first = cbr0();
        let second = json!({"delegate": {"bridge": "cni1"}, "subnetFile": "/run/lab/other.env"});
        let mut second = network("1.1.0", second).text();
        second = second.replace("cbr0", "cbr1");
        let second = Network::parse(&second);
        let (a, b) = (site.node.pod("a"), site.node.pod("b"));
        for pod in [&a, &b] {
            site.runner.add(&first, pod, "eth0").unwrap();
            site.runner.add(&second, pod, "eth1").unwrap();
        }
        assert_eq!(site.records(), ["a", "a:eth1", "b", "b:eth1"]);
        for network in [&first, &second] {
            let interface = if network.name() == "cbr0" {
                "eth0"
            } else {
                "eth1"
            };
            site.runner.check(network, &a, interface).unwrap();
            assert!(ping(&a, b.ipv4(interface), PATIENCE), "{interface}");
        }
        // In either order, and again.
        for (pod, order) in [(&a, [0, 1, 0]), (&b, [1, 0, 1])] {
            for index in order {
                let (network, interface) = [(&first, "eth0"), (&second, "eth1")][index];
                site.runner.del(network, pod, interface).unwrap();
                assert!(!pod.interfaces().contains(&interface.to_owned()));
            }
            assert_eq!(pod.interfaces(), [""; 0]);
        }
        site.assert_nothing_left();
    }
}

#[test]
fn collecting_spares_what_is_valid_and_takes_the_rest() {
    for delegates in DELEGATES {
        let site = Site::new(delegates);
        let network = cbr0();
        let [a, b, c] = ["a", "b", "c"].map(|name| {
            let pod = site.node.pod(name);
            site.runner.add(&network, &pod, "eth0").unwrap();
            pod
        });
        let address = a.ipv4("eth0");
        // One whose sandbox is gone, and one that nobody wants any more.
        b.vanish();
        site.runner.gc(&network, &[("a", "eth0")]).unwrap();
        assert_eq!(site.records(), ["a"], "{delegates:?}");
        assert_eq!(
            site.leases(),
            ["10.244.1.2", "fd00:244:0:1::2"],
            "{delegates:?}"
        );
        assert!(ping(&site.node, address, PATIENCE));
        site.runner.check(&network, &a, "eth0").unwrap();
        drop(c);
        site.runner.gc(&network, &[]).unwrap();
        drop(a);
        assert_eq!((site.records(), site.leases()), (Vec::new(), Vec::new()));
    }
}

/// A runtime that lost its cache, and a node that was booted: no result, no sandbox.
#[test]
fn del_needs_neither_sandbox_nor_result_nor_the_file() {
    for delegates in DELEGATES {
        let site = Site::new(delegates);
        let network = cbr0();
        let pod = site.node.pod("a");
        site.runner.add(&network, &pod, "eth0").unwrap();
        site.runner.forget(&network, "a", "eth0");
        pod.vanish();
        site.node.write(SUBNET_FILE, "");
        site.runner.del_with(&network, "a", "", "eth0").unwrap();
        assert_eq!((site.records(), site.leases()), (Vec::new(), Vec::new()));
    }
}

/// A runtime is used that finds no plugin at all but this.
#[test]
fn nobody_is_called_for_an_attachment_that_has_no_record() {
    let site = Site::new(Delegates::Ours);
    let alone: Runner = site.runner_with(&["flannel"]);
    alone.del_with(&cbr0(), "a", "", "eth0").unwrap();
    site.assert_nothing_left();
}
