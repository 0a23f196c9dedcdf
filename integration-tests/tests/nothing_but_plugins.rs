// SPDX-License-Identifier: Apache-2.0
//! A host that has the plugins and no other program: no `ip`, `nft`, `iptables`, `sysctl`, no
//! shell, no library. What a plugin can do there it does by itself.

use std::fs::create_dir_all;
use std::path::Path;

use integration_tests::{Execution, Node, Outside, Pod, binaries};
use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};

const ROOT: &str = "/run/bare";

/// Makes a root directory with the plugins, `/proc`, and the directories of the node's state.
fn bare_root(node: &Node) {
    let bind = |from: &Path, to: &str| {
        let to = Path::new(ROOT).join(to);
        create_dir_all(&to).expect("/run is writable");
        let recursively = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(from), &to, None::<&str>, recursively, None::<&str>)
            .unwrap_or_else(|errno| panic!("{}: {errno}", from.display()));
    };
    let plugins = binaries::plugins();
    node.run(|| {
        for directory in ["/proc", "/run/netns", "/var/lib/cni"] {
            bind(Path::new(directory), directory.trim_start_matches('/'));
        }
        bind(plugins, "plugins");
    });
}

fn execute(node: &Node, pod: &Pod, plugin: &str, verb: &str, configuration: &Value) -> Value {
    let outcome = Execution::new(Path::new("/plugins").join(plugin))
        .without("PATH")
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", pod.name())
        .env("CNI_NETNS", pod.netns().display().to_string())
        .env(
            "CNI_IFNAME",
            if plugin == "loopback" { "lo" } else { "eth0" },
        )
        .env("CNI_PATH", "/plugins")
        .stdin(configuration.to_string())
        .run_in_root(node, Path::new(ROOT));
    if verb == "ADD" {
        return outcome.result();
    }
    outcome.assert_silent();
    Value::Null
}

fn attach_and_detach(plugin: &str, configuration: Value) {
    attach_and_detach_on(&Node::new(), plugin, configuration);
}

fn attach_and_detach_on(node: &Node, plugin: &str, mut configuration: Value) {
    let pod = node.pod("a");
    bare_root(node);
    let result = execute(node, &pod, plugin, "ADD", &configuration);
    configuration["prevResult"] = result;
    for verb in ["CHECK", "DEL"] {
        execute(node, &pod, plugin, verb, &configuration);
    }
    configuration["prevResult"] = Value::Null;
    configuration["cni.dev/valid-attachments"] = json!([]);
    for verb in ["GC", "STATUS"] {
        execute(node, &pod, plugin, verb, &configuration);
    }
}

#[test]
fn bridge_needs_no_other_program() {
    let ipam = json!({
        "type": "host-local",
        "ranges": [[{"subnet": "10.90.0.0/24"}], [{"subnet": "fd90::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    });
    attach_and_detach(
        "bridge",
        json!({
            "cniVersion": "1.1.0",
            "name": "bare",
            "type": "bridge",
            "isGateway": true,
            "ipMasq": true,
            "macspoofchk": true,
            "hairpinMode": true,
            "ipam": ipam,
        }),
    );
}

#[test]
fn flannel_needs_no_other_program() {
    let file = "/var/lib/cni/subnet.env";
    let env = "FLANNEL_NETWORK=10.90.0.0/16\nFLANNEL_SUBNET=10.90.1.1/24\n\
        FLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n";
    let configuration = json!({
        "cniVersion": "1.1.0",
        "name": "bare",
        "type": "flannel",
        "subnetFile": file,
        "delegate": {"isDefaultGateway": true},
    });
    let node = Node::new();
    node.write(file, env);
    attach_and_detach_on(&node, "flannel", configuration);
}

/// Plugins that are chained behind `bridge`, each with what has it do something.
#[test]
fn chained_plugins_need_no_other_program() {
    let mappings = json!([
        {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
        {"hostPort": 5353, "containerPort": 53, "protocol": "udp"},
    ]);
    let nodes = json!([
        {"name": "own", "underlay": "192.0.2.2", "podCIDRs": ["10.200.0.0/24"]},
        {"name": "peer", "underlay": "192.0.2.3", "podCIDRs": ["10.200.1.0/24"]},
    ]);
    let chained = [
        (
            "bandwidth",
            json!({"ingressRate": 1_000_000, "ingressBurst": 400_000,
            "egressRate": 1_000_000, "egressBurst": 400_000}),
        ),
        ("firewall", json!({"ingressPolicy": "isolated"})),
        (
            "portmap",
            json!({"runtimeConfig": {"portMappings": mappings}}),
        ),
        (
            "tuning",
            json!({"mtu": 1400, "sysctl": {"net.core.somaxconn": "500"}}),
        ),
        ("vxlan", json!({"network": "10.200.0.0/16", "nodes": nodes})),
    ];
    for (plugin, keys) in chained {
        behind_bridge(plugin, &keys);
    }
}

fn behind_bridge(plugin: &str, keys: &Value) {
    let node = Node::new();
    // The underlay of `vxlan`, and a chain that drops for `firewall`.
    let _outside = Outside::new(&node, 1500);
    node.tool("iptables", "--policy FORWARD DROP");
    let pod = node.pod("a");
    bare_root(&node);
    let mut bridge = json!({
        "cniVersion": "1.1.0",
        "name": "bare",
        "type": "bridge",
        "isGateway": true,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.200.0.0/24"}]]},
    });
    bridge["prevResult"] = execute(&node, &pod, "bridge", "ADD", &bridge);
    let mut configuration = keys.clone();
    for key in ["cniVersion", "name", "prevResult"] {
        configuration[key] = bridge[key].clone();
    }
    configuration["prevResult"] = execute(&node, &pod, plugin, "ADD", &configuration);
    for verb in ["CHECK", "DEL"] {
        execute(&node, &pod, plugin, verb, &configuration);
    }
    execute(&node, &pod, "bridge", "DEL", &bridge);
    configuration["prevResult"] = Value::Null;
    configuration["cni.dev/valid-attachments"] = json!([]);
    for verb in ["GC", "STATUS"] {
        execute(&node, &pod, plugin, verb, &configuration);
    }
}

#[test]
fn ptp_and_static_need_no_other_program() {
    attach_and_detach(
        "ptp",
        json!({
            "cniVersion": "1.1.0",
            "name": "bare",
            "type": "ptp",
            "ipMasq": true,
            "ipam": {"type": "static", "addresses": [
                {"address": "10.90.0.2/24", "gateway": "10.90.0.1"},
            ]},
        }),
    );
}

#[test]
fn loopback_needs_no_other_program() {
    attach_and_detach(
        "loopback",
        json!({"cniVersion": "1.1.0", "name": "lo", "type": "loopback"}),
    );
}
