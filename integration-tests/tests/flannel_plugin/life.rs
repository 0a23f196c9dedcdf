// SPDX-License-Identifier: Apache-2.0
//! What users have of it: attachments that work, and are gone when they are.

use std::net::IpAddr;

use integration_tests::{BRIEFLY, Network, Outside, PATIENCE, Pod, binaries, ping};
use serde_json::json;

use crate::site::{DELEGATES, Delegates, SUBNET_ENV, SUBNET_FILE, Site, cbr0, network, plugins};

fn addresses(pod: &Pod) -> [IpAddr; 2] {
    [pod.ipv4("eth0"), pod.ipv6("eth0")]
}

#[test]
fn pods_have_what_flannel_says_and_reach_each_other() {
    for delegates in DELEGATES {
        let site = Site::new(delegates);
        let (runner, network) = (&site.runner, cbr0());
        runner.status(&network).unwrap();
        let pods = ["a", "b"].map(|name| {
            let pod = site.node.pod(name);
            let added = runner.add(&network, &pod, "eth0");
            added.unwrap_or_else(|failure| panic!("{delegates:?}: {failure}"));
            pod
        });
        for to in addresses(&pods[1])
            .into_iter()
            .chain(["10.244.1.1", "fd00:244:0:1::1"].map(ip))
        {
            assert!(ping(&pods[0], to, PATIENCE), "{delegates:?}: {to}");
        }
        assert_eq!(
            addresses(&pods[0]),
            ["10.244.1.2", "fd00:244:0:1::2"].map(ip)
        );
        assert_eq!(pods[0].link("eth0").mtu, 1450);
        let routes = pods[0].ip("-4 route") + &pods[0].ip("-6 route");
        for destination in [
            "10.244.0.0/16 via 10.244.1.1",
            "fd00:244::/48 via fd00:244:0:1::1",
        ] {
            assert!(routes.contains(destination), "{destination}: {routes}");
        }
        for pod in &pods {
            runner.check(&network, pod, "eth0").unwrap();
            let result = runner.result(&network, pod.name(), "eth0");
            runner.del(&network, pod, "eth0").unwrap();
            assert_eq!(pod.interfaces(), [""; 0]);
            // Again, as runtimes do it.
            runner.del(&network, pod, "eth0").unwrap();
            assert!(result.is_some());
        }
        site.assert_nothing_left();
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn all_versions_of_the_protocol_are_spoken() {
    for delegates in DELEGATES {
        let site = Site::new(delegates);
        for version in [
            "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
        ] {
            let network = network(version, json!({}));
            let pod = site.node.pod("a");
            let result = site.runner.add(&network, &pod, "eth0").unwrap();
            assert_eq!(result["cniVersion"], version);
            assert_eq!(site.record("a")["cniVersion"], version);
            if version >= "0.4.0" {
                site.runner.check(&network, &pod, "eth0").unwrap();
            }
            site.runner.del(&network, &pod, "eth0").unwrap();
            site.assert_nothing_left();
        }
    }
}

#[test]
fn a_configuration_without_a_version_is_passed_on_without_one() {
    let site = Site::new(Delegates::Ours);
    let network = network("", json!({}));
    let pod = site.node.pod("a");
    let result = site.runner.add(&network, &pod, "eth0").unwrap();
    assert_eq!(result["cniVersion"], "0.1.0");
    assert_eq!(site.record("a").get("cniVersion"), None);
    site.runner.del(&network, &pod, "eth0").unwrap();
    site.assert_nothing_left();
}

#[test]
fn check_is_the_delegates() {
    for delegates in DELEGATES {
        let site = Site::new(delegates);
        let network = cbr0();
        let pod = site.node.pod("a");
        site.runner.add(&network, &pod, "eth0").unwrap();
        // It is held against what ADD did, whatever the file says by now.
        let other = SUBNET_ENV.replace("10.244.1.", "10.244.9.");
        site.node.write(SUBNET_FILE, other);
        site.runner.check(&network, &pod, "eth0").unwrap();
        let address = pod.ipv4("eth0");
        pod.ip(&format!("address delete {address}/24 dev eth0"));
        let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
        assert!(failure.error().1.contains("10.244.1.2"), "{failure}");
        site.runner.del(&network, &pod, "eth0").unwrap();
        site.assert_nothing_left();
    }
}

#[test]
fn the_delegate_masquerades_unless_flannel_does() {
    for delegates in DELEGATES {
        for (flannel_does, keys) in [
            ("false", json!({})),
            (
                "true",
                json!({"delegate": {"isDefaultGateway": true, "ipMasq": true}}),
            ),
            ("true", json!({})),
        ] {
            let site = Site::new(delegates);
            let text = SUBNET_ENV.replace("IPMASQ=true", &format!("IPMASQ={flannel_does}"));
            site.node.write(SUBNET_FILE, text);
            let network = network("1.1.0", keys.clone());
            let pod = site.node.pod("a");
            site.runner.add(&network, &pod, "eth0").unwrap();
            // The host outside knows no way back to pods.
            let masqueraded = flannel_does == "false" || keys != json!({});
            let limit = if masqueraded { PATIENCE } else { BRIEFLY };
            for to in [Outside::V4, Outside::V6] {
                assert_eq!(
                    ping(&pod, to, limit),
                    masqueraded,
                    "{delegates:?} {flannel_does} {to}"
                );
            }
            site.outside
                .add_route_back("10.244.0.0/16".parse().unwrap());
            assert!(ping(&pod, Outside::V4, PATIENCE));
            site.runner.del(&network, &pod, "eth0").unwrap();
        }
    }
}

#[test]
fn what_a_runtime_gives_capabilities_reaches_the_delegate() {
    let site = Site::new(Delegates::Ours);
    let runner = site.runner_with(&["flannel", "bridge", "host-local"]);
    let runner = runner.with_capability("mac", json!("02:00:00:00:00:66"));
    let network = network("1.1.0", json!({"capabilities": {"mac": true}}));
    let pod = site.node.pod("a");
    runner.add(&network, &pod, "eth0").unwrap();
    assert_eq!(pod.link("eth0").mac.to_string(), "02:00:00:00:00:66");
    runner.check(&network, &pod, "eth0").unwrap();
    runner.del(&network, &pod, "eth0").unwrap();
    site.assert_nothing_left();
}

#[test]
fn the_operators_keys_win() {
    let site = Site::new(Delegates::Ours);
    let network = network(
        "1.1.0",
        json!({
            "delegate": {"bridge": "cni1", "mtu": 1300},
            "ipam": {"dataDir": "/run/lab/leases", "routes": [{"dst": "203.0.113.0/24"}]},
            "dataDir": "/run/lab/records",
        }),
    );
    let pod = site.node.pod("a");
    site.runner.add(&network, &pod, "eth0").unwrap();
    assert_eq!(pod.link("eth0").mtu, 1300);
    assert!(pod.ip("route").contains("203.0.113.0/24 via 10.244.1.1"));
    assert_eq!(site.node.link("cni1").mtu, 1300);
    let leases = site.node.list("/run/lab/leases/cbr0");
    assert!(leases.contains(&"10.244.1.2".to_owned()), "{leases:?}");
    assert_eq!(site.node.list("/run/lab/records"), ["a"]);
    site.runner.del(&network, &pod, "eth0").unwrap();
    assert_eq!(site.node.list("/run/lab/records"), [""; 0]);
    site.assert_nothing_left();
}

#[test]
fn kube_flannels_own_conflist_works_as_it_stands() {
    let site = Site::new(Delegates::Ours);
    let network = Network::new(json!({
        "name": "cbr0",
        "cniVersion": "0.3.1",
        "plugins": [
            {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    }));
    site.node.install(&network);
    let from = |name| match name {
        "portmap" => binaries::go_plugins().join(name),
        name => binaries::plugins().join(name),
    };
    let path = plugins(
        &site.node,
        "chain",
        &["flannel", "bridge", "host-local", "portmap"],
        from,
    );
    let env = [("CNI_PATH", path.to_str().expect("a path of ours is text"))];
    let [a, b] = ["a", "b"].map(|name| {
        let pod = site.node.pod(name);
        site.node.cnitool("add", "cbr0", &pod, &env).result();
        pod
    });
    for to in addresses(&b) {
        assert!(ping(&a, to, PATIENCE), "{to}");
    }
    for pod in [&a, &b, &a, &b] {
        site.node.cnitool("del", "cbr0", pod, &env).assert_silent();
    }
    site.assert_nothing_left();
}
