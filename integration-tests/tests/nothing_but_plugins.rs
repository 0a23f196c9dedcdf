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

#[test]
fn vxlan_needs_no_other_program() {
    let node = Node::new();
    let pod = node.pod("a");
    let _outside = Outside::new(&node, 1500);
    bare_root(&node);
    let ipam = json!({"type": "host-local", "ranges": [[{"subnet": "10.200.0.0/24"}]]});
    let mut configuration = json!({
        "cniVersion": "1.1.0",
        "name": "bare",
        "type": "bridge",
        "isGateway": true,
        "ipam": ipam,
        "network": "10.200.0.0/16",
        "nodes": [
            {"name": "own", "underlay": "192.0.2.2", "podCIDRs": ["10.200.0.0/24"]},
            {"name": "peer", "underlay": "192.0.2.3", "podCIDRs": ["10.200.1.0/24"]},
        ],
    });
    configuration["prevResult"] = execute(&node, &pod, "bridge", "ADD", &configuration);
    configuration["prevResult"] = execute(&node, &pod, "vxlan", "ADD", &configuration);
    execute(&node, &pod, "vxlan", "CHECK", &configuration);
    for plugin in ["vxlan", "bridge"] {
        execute(&node, &pod, plugin, "DEL", &configuration);
    }
    configuration["prevResult"] = Value::Null;
    configuration["cni.dev/valid-attachments"] = json!([]);
    for verb in ["GC", "STATUS"] {
        execute(&node, &pod, "vxlan", verb, &configuration);
    }
}

#[test]
fn portmap_needs_no_other_program() {
    let node = Node::new();
    let pod = node.pod("a");
    bare_root(&node);
    let ipam = json!({"type": "host-local", "ranges": [[{"subnet": "10.200.0.0/24"}]]});
    let mut configuration = json!({
        "cniVersion": "1.1.0",
        "name": "bare",
        "type": "bridge",
        "isGateway": true,
        "ipam": ipam,
        "runtimeConfig": {"portMappings": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
            {"hostPort": 5353, "containerPort": 53, "protocol": "udp"},
        ]},
    });
    configuration["prevResult"] = execute(&node, &pod, "bridge", "ADD", &configuration);
    configuration["prevResult"] = execute(&node, &pod, "portmap", "ADD", &configuration);
    execute(&node, &pod, "portmap", "CHECK", &configuration);
    for plugin in ["portmap", "bridge"] {
        execute(&node, &pod, plugin, "DEL", &configuration);
    }
    configuration["prevResult"] = Value::Null;
    configuration["cni.dev/valid-attachments"] = json!([]);
    for verb in ["GC", "STATUS"] {
        execute(&node, &pod, "portmap", verb, &configuration);
    }
}

#[test]
fn loopback_needs_no_other_program() {
    attach_and_detach(
        "loopback",
        json!({"cniVersion": "1.1.0", "name": "lo", "type": "loopback"}),
    );
}
