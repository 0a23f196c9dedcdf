// SPDX-License-Identifier: Apache-2.0
//! Nodes that change from the reference plugin to Podwire's, or back, with their pods running.

use serde_json::{Value, json};

use crate::{BACKUP, Site, everything, tuned};

#[test]
fn either_plugin_restores_what_the_other_has_kept() {
    let site = Site::new();
    let before = site.link();
    let calls = |verb| [site.call(verb, &everything()), site.go(verb, &everything())];
    for add in calls("ADD") {
        for del in calls("DEL") {
            let result = add.run(&site.bench.node).result();
            assert_eq!(result["interfaces"][2]["mac"], "02:00:00:00:00:77");
            assert_eq!(site.link(), tuned(&before));
            del.run(&site.bench.node).assert_silent();
            assert_eq!(site.link(), before);
            // The port's guard is Podwire's, and goes with the port.
            let mut left = site.bench.differences();
            left.retain(|line| !line.contains("nft set bridge podwire"));
            assert_eq!(left, [""; 0]);
        }
    }
}

#[test]
fn either_plugin_finds_right_what_the_other_has_made() {
    let site = Site::new();
    let mut keys = everything();
    keys["sysctl"] = json!({"net.core.somaxconn": "777"});
    for add in [site.call("ADD", &keys), site.go("ADD", &keys)] {
        let result = add.run(&site.bench.node).result();
        let mut keys = keys.clone();
        keys["prevResult"] = result;
        for check in [site.call("CHECK", &keys), site.go("CHECK", &keys)] {
            check.run(&site.bench.node).assert_silent();
        }
        site.done("DEL", &keys);
    }
}

/// But for the key that says whose it is.
#[test]
fn a_backup_is_what_the_reference_plugin_would_have_written() {
    let site = Site::new();
    for keys in [
        everything(),
        json!({"mac": "02:00:00:00:00:77"}),
        json!({"mtu": 1400, "txQLen": 0}),
        json!({"promisc": true}),
        json!({"allmulti": false}),
    ] {
        let backups = [site.call("ADD", &keys), site.go("ADD", &keys)].map(|add| {
            add.run(&site.bench.node).result();
            let text = site.bench.node.read(BACKUP);
            site.done("DEL", &keys);
            let mut backup: Value = serde_json::from_str(&text).expect("a backup is JSON");
            let owner = backup.as_object_mut().and_then(|it| it.remove("podwire"));
            (backup, owner)
        });
        let owner = json!({"network": "pods", "containerID": "a", "ifname": "eth0"});
        assert_eq!(backups[0].0, backups[1].0, "{keys}");
        assert_eq!((&backups[0].1, &backups[1].1), (&Some(owner), &None));
    }
}

#[test]
fn results_are_those_of_the_reference_plugin() {
    let site = Site::new();
    for version in ["1.0.0", "1.1.0"] {
        let mut keys = json!({"cniVersion": version, "mac": "02:00:00:00:00:77"});
        keys["sysctl"] = json!({"net.ipv4.conf.IFNAME.arp_filter": "1"});
        let results = [site.call("ADD", &keys), site.go("ADD", &keys)].map(|add| {
            let result = add.run(&site.bench.node).result();
            site.done("DEL", &keys);
            result
        });
        assert_eq!(results[0], results[1], "{version}");
    }
}
