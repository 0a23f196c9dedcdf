// SPDX-License-Identifier: Apache-2.0
//! A plugin that is killed leaves nothing that DEL does not take away, and nothing that keeps the
//! next ADD from its work.

use std::collections::BTreeSet;

use integration_tests::bench::SUBNETS;
use integration_tests::{Bench, Network, PATIENCE, Runner, bench, binaries, ping};
use net::LinkChange;
use serde_json::json;

/// Runs an ADD of a network's plugin, kills it after a time, and waits until no process of it is left; whether it was done
/// before. With `all`, the IPAM plugin is killed with it; else that one goes on alone.
fn kill_add(bench: &Bench, network: &Network, microseconds: u32, all: bool) -> bool {
    let configuration = bench::configuration(network);
    let name = configuration["type"].as_str().expect("it has a plugin");
    let plugin = binaries::plugins().join(name);
    let seconds = f64::from(microseconds) / 1e6;
    let group = if all { "" } else { "--foreground" };
    let text = format!(
        "exec timeout {group} -s KILL {seconds:.6} {}",
        plugin.display()
    );
    let path = bench.script(name, &text);
    let (scripts, _) = path
        .split_once(':')
        .expect("the script's directory is first");
    let killer = Runner::with_plugins(&bench.node, scripts);
    let call = bench::call(&killer, network, "ADD", "a");
    let outcome = call.env("CNI_PATH", &path).run(&bench.node);
    while !bench.processes().is_empty() {
        std::thread::yield_now();
    }
    outcome.success()
}

/// Kills ADDs ever later, until they are done before the killer comes.
fn sweep(bench: &Bench, all: bool) {
    let pod = bench.node.pod("a");
    let mut found = BTreeSet::new();
    let (mut microseconds, mut done) = (500, 0);
    while done < 3 {
        done += u32::from(kill_add(bench, &bench.network, microseconds, all));
        found.insert(bench.differences().len());
        bench.call("DEL", "a").run(&bench.node).assert_silent();
        assert_eq!(pod.interfaces(), [""; 0], "{microseconds} us");
        bench.assert_clean();
        if microseconds % 1000 == 0 {
            bench.call("ADD", "a").run(&bench.node).result();
            assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
            bench.call("DEL", "a").run(&bench.node).assert_silent();
            bench.assert_clean();
        }
        microseconds += 250;
    }
    // The killer came before anything was made, in between, and after all was.
    assert!(found.len() > 2, "{found:?}");
}

#[test]
fn an_add_killed_alone() {
    sweep(&Bench::new(), false);
}

#[test]
fn an_add_killed_with_its_ipam_plugin() {
    sweep(&Bench::new(), true);
}

#[test]
fn an_add_of_ptp_killed() {
    let network = Network::of_ptp("pods", &SUBNETS, json!({"ipMasq": true}));
    sweep(&Bench::of(network), false);
}

/// Of `tuning` it is the interface that has to be as it was, and the backup that has to be gone.
#[test]
fn an_add_of_tuning_killed() {
    let mut bench = Bench::new();
    let pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0");
    let tuning = Network::new(json!({
        "cniVersion": "1.1.0", "name": "pods", "type": "tuning", "dataDir": "/run/lab/tuning",
        "mac": "02:00:00:00:00:77", "mtu": 1400, "promisc": true, "txQLen": 77,
        "prevResult": result.expect("the runner remembers it"),
    }));
    bench.node.write("/run/lab/tuning/others", "");
    bench.settle();
    let before = pod.link("eth0");
    let mut found = BTreeSet::new();
    let (mut microseconds, mut done) = (500, 0);
    while done < 3 {
        done += u32::from(kill_add(&bench, &tuning, microseconds, false));
        let file = bench.node.list("/run/lab/tuning").len() > 1;
        found.insert((file, pod.link("eth0") == before));
        let call = bench::call(&bench.runner, &tuning, "DEL", "a");
        call.run(&bench.node).assert_silent();
        assert_eq!(pod.link("eth0"), before, "{microseconds} us");
        assert_eq!(bench.node.list("/run/lab/tuning"), ["others"]);
        assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
        microseconds += 100;
    }
    assert!(found.len() > 1, "{found:?}");
    bench.assert_clean();
}

#[test]
fn an_add_killed_before_its_pair_says_whose_it_is() {
    let bench = Bench::new();
    let pod = bench.attach("a");
    let result = bench.runner.result(&bench.network, "a", "eth0");
    let result = result.expect("the runner remembers it");
    let host = result["interfaces"][1]["name"].as_str();
    // The kernel takes the alias by a second request only; the killer may come between the two.
    let host = bench.node.link(host.expect("it has a name"));
    let unsaid = LinkChange {
        alias: Some(""),
        ..LinkChange::default()
    };
    bench.node.rtnl().change_link(host.index, &unsaid).unwrap();
    assert_eq!(bench.node.link(&host.name).alias, None);
    // Without the namespace there is nothing but the host interface to know it by.
    let call = bench.call("DEL", "a").env("CNI_NETNS", "");
    call.run(&bench.node).assert_silent();
    assert_eq!(pod.interfaces(), [""; 0]);
    bench.assert_clean();
}
