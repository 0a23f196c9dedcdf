// SPDX-License-Identifier: Apache-2.0
//! Several networks, and what their options mean.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use e2e_tests::{PATIENCE, Podman, did_not_run};
use integration_tests::{BRIEFLY, Network, Outside, Place};
use serde_json::Value;

use crate::site::{NETWORK, SUBNETS, Site, page, seen, types};

const OTHER: &str = "--subnet 10.77.6.0/24";
/// Where Debian's package has the network `podman`.
const SHIPPED: &str = "/etc/cni/net.d/87-podman-bridge.conflist";

fn conf(network: &Network, index: usize) -> Value {
    let list: Value = serde_json::from_str(&network.text()).expect("a conflist is JSON");
    list["plugins"][index].clone()
}

pub(crate) fn two_networks(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    site.create("other", OTHER);
    let server = site
        .podman
        .run("server", "--network own --network other -p 8081:80");
    assert_eq!(server.interfaces(), ["eth0", "eth1"]);
    for (network, interface) in [("own", "eth0"), ("other", "eth1")] {
        let client = site.podman.run("client", &format!("--network {network}"));
        let (address, own) = (server.ipv4(interface), client.ipv4("eth0"));
        assert_eq!(seen(&client, address, 80), own, "{network}");
        drop(client);
        site.podman.say("rm --force --time 0 client");
    }
    assert_eq!(seen(&site.outside, Outside::NODE_V4, 8081), Outside::V4);
    drop(server);
    site.end_last("server");
    site.podman.say("network rm own other");
}

pub(crate) fn connected_and_disconnected(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    site.create("other", OTHER);
    let server = site.podman.run("server", "--network own -p 8081:80");
    let client = site.podman.run("client", "--network other");
    let before = site.differences();
    for _ in 0..2 {
        site.podman.say("network connect other server");
        assert_eq!(server.interfaces(), ["eth0", "eth1"]);
        let (address, own) = (server.ipv4("eth1"), client.ipv4("eth0"));
        assert_eq!(seen(&client, address, 80), own);
        site.podman.say("network disconnect other server");
        assert_eq!(server.interfaces(), ["eth0"]);
        let mut left = site.differences();
        left.retain(|line| !before.contains(line));
        assert_eq!(left, [""; 0]);
        assert_eq!(seen(&site.outside, Outside::NODE_V4, 8081), Outside::V4);
    }
    drop((server, client));
    site.podman.say("rm --force --time 0 client");
    site.end_last("server");
    site.podman.say("network rm own other");
}

/// As Debian ships it, and as podman makes it where nobody has.
pub(crate) fn the_default_network(site: &Site<'_>) {
    let shipped = std::fs::read_to_string(SHIPPED).ok();
    if shipped.is_none() {
        did_not_run(
            "the default network as it is shipped",
            "there is no such file here",
        );
    }
    let path = Path::new(Podman::NETWORKS).join("87-podman-bridge.conflist");
    for text in std::iter::once(None).chain(shipped.map(Some)) {
        if let Some(text) = text {
            site.node.write(&path, text);
            let network = site.conflist("87-podman-bridge");
            assert_eq!(types(&network), ["bridge", "portmap", "firewall", "tuning"]);
        }
        let server = site.podman.run("server", "--network podman -p 8081:80");
        assert_eq!(server.addresses("eth0")[0].prefix(), 16);
        assert_eq!(seen(&site.outside, Outside::NODE_V4, 8081), Outside::V4);
        drop(server);
        site.end_last("server");
    }
    site.node.ip("link delete cni-podman0");
}

/// Whether one container reaches the other's server, in each family that this one has.
fn reach(from: &Place, to: &Place, limit: Duration) -> Vec<bool> {
    let addresses: Vec<IpAddr> = to.all_addresses();
    let answers = addresses
        .iter()
        .map(|address| page(from, *address, 80, limit).is_some());
    answers.collect()
}

/// Networks with `isolate` are closed to each other, and open to the world; others are open.
pub(crate) fn isolated(site: &Site<'_>) {
    let network = site.create(NETWORK, &format!("{SUBNETS} --opt isolate=true"));
    assert_eq!(conf(&network, 2)["ingressPolicy"], "same-bridge");
    site.create("other", &format!("{OTHER} --opt isolate=true"));
    site.create("open", "--subnet 10.77.7.0/24");
    site.create("open2", "--subnet 10.77.8.0/24");
    let run = |name: &str, options: &str| site.podman.run(name, options);
    let own = run("own1", "--network own -p 8081:80");
    let same = run("own2", "--network own");
    let other = run("other1", "--network other");
    let [open, open2] = ["open", "open2"].map(|name| run(name, &format!("--network {name}")));
    assert_eq!(reach(&same, &own, PATIENCE), [true, true]);
    assert_eq!(reach(&other, &own, BRIEFLY), [false, false]);
    assert_eq!(reach(&own, &other, BRIEFLY), [false]);
    assert_eq!(reach(&open, &open2, PATIENCE), [true]);
    for (node, outside) in [
        (Outside::NODE_V4, Outside::V4),
        (Outside::NODE_V6, Outside::V6),
    ] {
        assert_eq!(seen(&site.outside, node, 8081), outside);
    }
    drop((own, same, other, open, open2));
    site.podman.say("rm --force --time 0 --all");
    site.assert_no_attachment();
    site.podman.say("network rm own other open open2");
}

/// Its containers reach each other, and nothing else.
pub(crate) fn internal(site: &Site<'_>) {
    let network = site.create(NETWORK, "--subnet 10.77.5.0/24 --internal");
    let bridge = conf(&network, 0);
    for key in ["isGateway", "ipMasq"] {
        assert_ne!(bridge[key], true, "{key}");
    }
    let server = site.podman.run("server", "--network own");
    let client = site.podman.run("client", "--network own");
    assert_eq!(reach(&client, &server, PATIENCE), [true]);
    assert_eq!(server.ip("route show default"), "");
    drop((server, client));
    site.podman.say("rm --force --time 0 client");
    site.end_last("server");
    site.podman.say("network rm own");
}
