// SPDX-License-Identifier: Apache-2.0
//! DEL with whatever is left, and GC.

use integration_tests::{Bench, Network, Runner, bench, binaries};
use serde_json::{Value, json};

use crate::{alone, attach, chain, ifbs, limits};

/// DEL of the plugin alone, with a configuration of the test's own.
fn del(bench: &Bench, netns: &str, keys: &Value) {
    let call = bench
        .call_with("DEL", "pod", &alone(keys))
        .env("CNI_NETNS", netns);
    call.run(&bench.node).assert_silent();
}

#[test]
fn del_needs_network_and_container_id_alone_and_can_be_repeated() {
    let bench = Bench::new();
    let network = chain(&bench, &limits());
    for (netns, keys) in [
        ("/run/netns/pod", limits()),
        ("/run/netns/none", json!({})),
        ("", json!({"ingressRate": "fast", "egressBurst": -3})),
        ("", json!({"prevResult": {"interfaces": 7}})),
        ("", json!({"runtimeConfig": {"bandwidth": "all"}})),
    ] {
        let pod = attach(&bench, &network, "pod");
        del(&bench, netns, &keys);
        assert_eq!(ifbs(&bench.node), [""; 0], "{netns:?} {keys}");
        del(&bench, netns, &keys);
        bench.runner.del(&network, &pod, "eth0").unwrap();
        bench.assert_clean();
    }
    // Of what never was.
    del(&bench, "", &limits());
    bench.assert_clean();
}

#[test]
fn del_takes_the_ifb_when_the_sandbox_has_vanished() {
    let bench = Bench::new();
    let network = chain(&bench, &limits());
    let pod = attach(&bench, &network, "pod");
    let path = pod.vanish();
    let path = path.to_str().unwrap();
    bench
        .runner
        .del_with(&network, "pod", path, "eth0")
        .unwrap();
    assert_eq!(ifbs(&bench.node), [""; 0]);
}

/// An ADD that is killed after so many microseconds; whether it was done before.
fn kill_add(bench: &Bench, whole: &Value, microseconds: u32) -> bool {
    let plugin = binaries::plugins().join("bandwidth");
    let seconds = f64::from(microseconds) / 1e6;
    let text = format!("exec timeout -s KILL {seconds:.6} {}", plugin.display());
    let path = bench.script("bandwidth", &text);
    let (scripts, _) = path
        .split_once(':')
        .expect("the script's directory is first");
    let killer = Runner::with_plugins(&bench.node, scripts);
    let call = bench::call(&killer, &Network::new(whole.clone()), "ADD", "pod");
    let call = call.stdin(whole.to_string());
    let done = call.run(&bench.node).success();
    while !bench.processes().is_empty() {
        std::thread::yield_now();
    }
    done
}

#[test]
fn del_takes_all_that_a_killed_add_left() {
    let mut bench = Bench::new();
    let pod = bench.node.pod("pod");
    let (mut microseconds, mut done, mut cut) = (500, 0, 0);
    while done < 3 {
        let mut whole = alone(&limits());
        whole["prevResult"] = bench.runner.add(&bench.network, &pod, "eth0").unwrap();
        bench.settle();
        let is_done = kill_add(&bench, &whole, microseconds);
        done += u32::from(is_done);
        cut += u32::from(!is_done && !ifbs(&bench.node).is_empty());
        del(&bench, "", &json!({}));
        bench.assert_clean();
        bench.runner.del(&bench.network, &pod, "eth0").unwrap();
        microseconds += 100;
    }
    println!("{cut} of these ADDs were killed between the first step and the last");
}

#[test]
fn del_takes_no_link_that_is_not_its_own() {
    let bench = Bench::new();
    let network = chain(&bench, &limits());
    let pod = attach(&bench, &network, "pod");
    let name = ifbs(&bench.node).remove(0);
    bench.runner.del(&network, &pod, "eth0").unwrap();
    bench.node.ip(&format!("link add {name} type bridge"));
    del(&bench, "", &limits());
    assert_eq!(ifbs(&bench.node), [name.as_str()]);
    bench.node.ip(&format!("link del {name}"));
    // What an ADD left that was killed before it could say whose it is.
    bench.node.ip(&format!("link add {name} type ifb"));
    del(&bench, "", &json!({}));
    assert_eq!(ifbs(&bench.node), [""; 0]);
    bench.assert_clean();
}

#[test]
fn gc_takes_the_ifbs_that_no_valid_attachment_owns() {
    let bench = Bench::new();
    let network = chain(&bench, &limits());
    let other = {
        let mut list: Value = serde_json::from_str(&network.text()).unwrap();
        list["name"] = json!("pods2");
        list["plugins"][0]["ipam"] = json!({"type": "host-local", "subnet": "10.9.0.0/24"});
        Network::new(list)
    };
    let plugin = |name: &str| {
        Network::new(json!({"cniVersion": "1.1.0", "name": name, "type": "bandwidth"}))
    };
    let _pods = ["a", "b"].map(|name| attach(&bench, &network, name));
    let _foreign = attach(&bench, &other, "c");
    bench.node.ip("link add bwp000000000000 type ifb");
    let all = ifbs(&bench.node);
    assert_eq!(all.len(), 4);
    let own = |name: &str| {
        let result = bench.runner.result(&network, name, "eth0").unwrap();
        let ifb = result["interfaces"].as_array().unwrap().last().unwrap();
        ifb["name"].as_str().unwrap().to_owned()
    };
    bench
        .runner
        .gc(&plugin("pods"), &[("a", "eth0"), ("b", "eth0")])
        .unwrap();
    assert_eq!(ifbs(&bench.node), all);
    bench
        .runner
        .gc(&plugin("pods"), &[("a", "eth0"), ("b", "eth1")])
        .unwrap();
    let mut left = all.clone();
    left.retain(|name| *name != own("b"));
    assert_eq!(ifbs(&bench.node), left);
    bench.runner.gc(&plugin("pods"), &[]).unwrap();
    left.retain(|name| *name != own("a"));
    assert_eq!(ifbs(&bench.node), left);
}
