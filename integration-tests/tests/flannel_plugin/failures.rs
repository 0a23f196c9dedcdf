// SPDX-License-Identifier: Apache-2.0
//! Delegates that fail.

use integration_tests::{PATIENCE, ping};
use serde_json::json;

use crate::site::{Delegates, SUBNET_ENV, SUBNET_FILE, Site, cbr0, network};

/// flannel's plugin forgot the attachment then, and its address was lost.
#[test]
fn del_that_fails_in_the_delegate_keeps_the_record_until_it_succeeds() {
    let site = Site::new(Delegates::Ours);
    let network = cbr0();
    let pod = site.node.pod("a");
    site.runner.add(&network, &pod, "eth0").unwrap();
    for names in [&["flannel", "bridge"][..], &["flannel"]] {
        let runner = site.runner_with(names);
        let failure = runner.del(&network, &pod, "eth0").unwrap_err();
        assert_eq!(failure.error().0, 101, "{failure}");
        assert!(
            failure.error().1.contains("failed to find plugin"),
            "{failure}"
        );
        assert_eq!(site.records(), ["a"]);
        assert_eq!(site.leases(), ["10.244.1.2", "fd00:244:0:1::2"]);
    }
    site.runner.del(&network, &pod, "eth0").unwrap();
    site.assert_nothing_left();
}

#[test]
fn add_that_fails_leaves_nothing() {
    let site = Site::new(Delegates::Ours);
    // Room for the gateway and one pod.
    let small = SUBNET_ENV.replace("10.244.1.1/24", "10.244.1.1/30");
    site.node.write(SUBNET_FILE, small);
    let [a, b] = ["a", "b"].map(|name| site.node.pod(name));
    site.runner.add(&cbr0(), &a, "eth0").unwrap();
    let failure = site.runner.add(&cbr0(), &b, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 104, "{failure}");
    assert_eq!(site.records(), ["a"]);
    // What the delegate refuses is told in its words.
    let network = network("1.1.0", json!({"delegate": {"mtu": 5}}));
    let failure = site.runner.add(&network, &b, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 7);
    assert!(
        failure.error().1.starts_with("bridge: invalid mtu 5"),
        "{failure}"
    );
    let alone = site.runner_with(&["flannel"]);
    let failure = alone.add(&cbr0(), &b, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 101, "{failure}");
    assert_eq!(b.interfaces(), [""; 0]);
    assert_eq!(site.records(), ["a"]);
    site.runner.del(&cbr0(), &a, "eth0").unwrap();
    site.assert_nothing_left();
}

/// Neither the delegate's ADD nor its DEL: something may be left, and so is the record.
#[test]
fn add_that_cannot_be_taken_back_stays_on_record() {
    let site = Site::new(Delegates::Ours);
    let script = r#"echo '{"code": 11, "msg": "not now"}'; exit 1"#;
    let path = integration_tests::bench::script(&site.node, "stubborn", script);
    let network = network("1.1.0", json!({"delegate": {"type": "stubborn"}}));
    let _pod = site.node.pod("a");
    let call = |verb| {
        let call = integration_tests::bench::call(&site.runner, &network, verb, "a");
        call.env("CNI_PATH", path.clone()).run(&site.node)
    };
    let outcome = call("ADD");
    outcome.assert_refused(11, &["stubborn: not now; not undone: stubborn: not now"]);
    assert_eq!(site.records(), ["a"]);
    call("DEL").assert_refused(11, &["stubborn: not now"]);
    assert_eq!(site.records(), ["a"]);
    integration_tests::bench::script(&site.node, "stubborn", "exit 0");
    call("DEL").assert_silent();
    site.assert_nothing_left();
}

#[test]
fn a_second_add_harms_neither_the_attachment_nor_its_record() {
    let site = Site::new(Delegates::Ours);
    let network = cbr0();
    let pod = site.node.pod("a");
    site.runner.add(&network, &pod, "eth0").unwrap();
    let record = site.record("a");
    let other = crate::site::network("1.1.0", json!({"delegate": {"bridge": "cni1"}}));
    for again in [&network, &other] {
        let failure = site.runner.add(again, &pod, "eth0").unwrap_err();
        assert_eq!(failure.error().0, 102, "{failure}");
        assert_eq!(site.record("a"), record);
    }
    assert!(ping(&site.node, pod.ipv4("eth0"), PATIENCE));
    site.runner.check(&network, &pod, "eth0").unwrap();
    site.runner.del(&network, &pod, "eth0").unwrap();
    site.assert_nothing_left();
}

#[test]
fn status_says_what_add_would() {
    let site = Site::new(Delegates::Ours);
    site.runner.status(&cbr0()).unwrap();
    let alone = site.runner_with(&["flannel", "bridge"]);
    let failure = alone.status(&cbr0()).unwrap_err();
    assert_eq!(failure.error().0, 50, "{failure}");
    assert!(failure.error().1.contains("\"host-local\""), "{failure}");
    let alone = site.runner_with(&["flannel"]);
    let failure = alone.status(&cbr0()).unwrap_err();
    assert_eq!(failure.error().0, 50, "{failure}");
    // The bridge's own reason.
    site.node.ip("link add cni0 type veth peer name other");
    let failure = site.runner.status(&cbr0()).unwrap_err();
    assert_eq!(failure.error().0, 50, "{failure}");
    assert!(failure.error().1.contains("not a bridge"), "{failure}");
    site.node.ip("link delete cni0");
    site.node.write("/run/lab/file", "");
    let network = network("1.1.0", json!({"dataDir": "/run/lab/file"}));
    let failure = site.runner.status(&network).unwrap_err();
    assert_eq!(failure.error().0, 50, "{failure}");
    assert!(failure.error().1.contains("/run/lab/file"), "{failure}");
    site.assert_nothing_left();
}
