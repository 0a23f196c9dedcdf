// SPDX-License-Identifier: Apache-2.0
//! Files, names and paths that are not what they should be.

use integration_tests::bench;
use serde_json::json;

use crate::site::{Delegates, RECORDS, SUBNET_ENV, SUBNET_FILE, Site, cbr0, network};

#[test]
fn a_subnet_file_that_cannot_be_used_is_refused_by_all_that_need_it() {
    let site = Site::new(Delegates::Ours);
    let pod = site.node.pod("a");
    for (text, words) in [
        (
            "".to_owned(),
            "FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET",
        ),
        ("garbage\n\u{1}\n".to_owned(), "is missing"),
        (
            SUBNET_ENV.replace("1450", "1O50"),
            "FLANNEL_MTU: \"1O50\" is not a number",
        ),
        (
            SUBNET_ENV.replace("10.244.1.1/24", "10.9.1.1/24"),
            "10.9.1.0/24 is not within the network",
        ),
        (SUBNET_ENV[..100].to_owned(), "is missing"),
    ] {
        site.node.write(SUBNET_FILE, text);
        let failure = site.runner.add(&cbr0(), &pod, "eth0").unwrap_err();
        assert_eq!(failure.error().0, 7, "{failure}");
        let status = site.runner.status(&cbr0()).unwrap_err();
        assert_eq!(status.error().0, 50, "{status}");
        for (_, said) in [failure.error(), status.error()] {
            assert!(said.contains(words) && said.contains(SUBNET_FILE), "{said}");
        }
    }
    site.node.run(|| std::fs::remove_file(SUBNET_FILE)).unwrap();
    let failure = site.runner.add(&cbr0(), &pod, "eth0").unwrap_err();
    // It may come: who writes it has not begun yet.
    assert_eq!(failure.error().0, 11, "{failure}");
    assert!(
        failure.error().1.contains("the overlay is not ready"),
        "{failure}"
    );
    assert_eq!(site.runner.status(&cbr0()).unwrap_err().error().0, 50);
    site.node.write(SUBNET_FILE, SUBNET_ENV);
    site.assert_nothing_left();
}

#[test]
fn no_container_leads_out_of_the_directory_of_records() {
    let site = Site::new(Delegates::Ours);
    site.node.write("/var/lib/cni/outside", "{}");
    let network = cbr0();
    let _pod = site.node.pod("a");
    for id in [
        "../outside",
        "..",
        ".",
        "a/../../outside",
        "/var/lib/cni/outside",
        ".podwire-new-1",
    ] {
        for verb in ["ADD", "CHECK", "DEL"] {
            let call = bench::call(&site.runner, &network, verb, "a");
            let outcome = call.env("CNI_CONTAINERID", id).run(&site.node);
            outcome.assert_refused(4, &["invalid characters in containerID"]);
        }
    }
    assert_eq!(site.records(), [""; 0]);
    assert_eq!(site.node.read("/var/lib/cni/outside"), "{}");
}

#[test]
fn a_name_of_a_container_that_no_file_can_have_is_refused() {
    let site = Site::new(Delegates::Ours);
    let network = cbr0();
    let pod = site.node.pod("a");
    let call = |verb, length| {
        let call = bench::call(&site.runner, &network, verb, "a");
        call.env("CNI_CONTAINERID", "c".repeat(length))
            .run(&site.node)
    };
    call("ADD", 300).assert_refused(5, &["cannot write the record"]);
    call("DEL", 300).assert_silent();
    assert_eq!(pod.interfaces(), [""; 0]);
    // As long as a file's name may be.
    call("ADD", 255).result();
    call("DEL", 255).assert_silent();
    site.assert_nothing_left();
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_before_anything_is_made() {
    let site = Site::new(Delegates::Ours);
    let pod = site.node.pod("a");
    site.node.write("/run/lab/file", "");
    let network = network("1.1.0", json!({"dataDir": "/run/lab/file/records"}));
    let failure = site.runner.add(&network, &pod, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 5, "{failure}");
    assert!(
        failure.error().1.contains("/run/lab/file/records/a"),
        "{failure}"
    );
    assert_eq!(pod.interfaces(), [""; 0]);
    site.assert_nothing_left();
}

#[test]
fn keys_that_the_plugin_sets_itself_cannot_be_given() {
    let site = Site::new(Delegates::Ours);
    let pod = site.node.pod("a");
    for (delegate, words) in [
        (json!({"name": "other"}), "delegate.name can't be given"),
        (json!({"IPAM": {}}), "delegate.ipam can't be given"),
        (
            json!({"type": "flannel"}),
            "\"flannel\" can't be its own delegate",
        ),
        (json!({"type": "../bridge"}), "invalid plugin name"),
    ] {
        let network = network("1.1.0", json!({"delegate": delegate}));
        let failure = site.runner.add(&network, &pod, "eth0").unwrap_err();
        assert_eq!(failure.error().0, 7, "{failure}");
        assert!(failure.error().1.contains(words), "{failure}");
        let status = site.runner.status(&network).unwrap_err();
        assert_eq!(status.error().0, 7, "{status}");
    }
    site.assert_nothing_left();
}

#[test]
fn check_misses_a_record_that_is_gone() {
    let site = Site::new(Delegates::Ours);
    let network = cbr0();
    let pod = site.node.pod("a");
    site.runner.add(&network, &pod, "eth0").unwrap();
    let record = site.node.read(format!("{RECORDS}/a"));
    site.node
        .run(|| std::fs::remove_file(format!("{RECORDS}/a")))
        .unwrap();
    let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 105, "{failure}");
    assert!(
        failure.error().1.contains("no record of container \"a\""),
        "{failure}"
    );
    site.node.write(format!("{RECORDS}/a"), "{");
    let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
    assert!(failure.error().1.contains("cannot be read"), "{failure}");
    site.node.write(format!("{RECORDS}/a"), record);
    site.runner.check(&network, &pod, "eth0").unwrap();
    site.runner.del(&network, &pod, "eth0").unwrap();
    site.assert_nothing_left();
}
