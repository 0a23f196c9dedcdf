// SPDX-License-Identifier: Apache-2.0
//! A plugin that is killed leaves nothing that DEL does not take away, and nothing that keeps the
//! next ADD from its work.

use std::collections::BTreeSet;

use integration_tests::{Bench, PATIENCE, Runner, bench, binaries, ping};
use net::LinkChange;

/// Runs an ADD, kills it after a time, and waits until no process of it is left; whether it was done
/// before. With `all`, the IPAM plugin is killed with it; else that one goes on alone.
fn kill_add(bench: &Bench, microseconds: u32, all: bool) -> bool {
    let plugin = binaries::plugins().join("bridge");
    let seconds = f64::from(microseconds) / 1e6;
    let group = if all { "" } else { "--foreground" };
    let text = format!(
        "exec timeout {group} -s KILL {seconds:.6} {}",
        plugin.display()
    );
    let path = bench.script("bridge", &text);
    let (scripts, _) = path
        .split_once(':')
        .expect("the script's directory is first");
    let killer = Runner::with_plugins(&bench.node, scripts);
    let call = bench::call(&killer, &bench.network, "ADD", "a");
    let outcome = call.env("CNI_PATH", &path).run(&bench.node);
    while !bench.processes().is_empty() {
        std::thread::yield_now();
    }
    outcome.success()
}

/// Kills ADDs ever later, until they are done before the killer comes.
fn sweep(all: bool) {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let mut found = BTreeSet::new();
    let (mut microseconds, mut done) = (500, 0);
    while done < 3 {
        done += u32::from(kill_add(&bench, microseconds, all));
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
    sweep(false);
}

#[test]
fn an_add_killed_with_its_ipam_plugin() {
    sweep(true);
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
