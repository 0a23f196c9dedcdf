// SPDX-License-Identifier: Apache-2.0
//! Every key with a JSON type that is not its own: refused by name, before anything is changed.

mod bandwidth;
mod bridge;
mod firewall;
mod flannel;
mod host_local;
mod portmap;
mod ptp;
mod static_ipam;
mod tuning;
mod vxlan;

use std::fs;

use integration_tests::{Bench, binaries, changed};
use serde_json::{Value, json};

use Kind::{Boolean, Integer, List, Number, Object, Text, TextOrList};

/// The plugins that have keys, and those keys; a documented one that is missing fails.
const PLUGINS: [(&str, &[(&str, Kind)]); 10] = [
    ("bandwidth", bandwidth::KEYS),
    ("bridge", bridge::KEYS),
    ("firewall", firewall::KEYS),
    ("flannel", flannel::KEYS),
    ("host-local", host_local::KEYS),
    ("portmap", portmap::KEYS),
    ("ptp", ptp::KEYS),
    ("static", static_ipam::KEYS),
    ("tuning", tuning::KEYS),
    ("vxlan", vxlan::KEYS),
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Integer,
    Number,
    List,
    Object,
    /// One of what is meant, or a list of it.
    TextOrList,
}

/// One value of each type that is not `kind`.
fn others(kind: Kind) -> Vec<Value> {
    let mut samples = vec![
        (Text, json!("text")),
        (Boolean, json!(true)),
        (Integer, json!(5)),
        (Number, json!(1.5)),
        (List, json!([])),
        (Object, json!({})),
    ];
    samples.retain(|(other, _)| {
        let fits = match kind {
            // A whole number is a number.
            Number => matches!(other, Integer | Number),
            TextOrList => matches!(other, Text | List),
            _ => *other == kind,
        };
        !fits
    });
    samples.into_iter().map(|(_, value)| value).collect()
}

/// A key as messages write it: `ipam.ranges[0][0].subnet`.
fn written(key: &str) -> String {
    let segments = key
        .split('.')
        .map(|segment| match segment.parse::<usize>() {
            Ok(index) => format!("[{index}]"),
            Err(_) => format!(".{segment}"),
        });
    let whole: String = segments.collect();
    whole.trim_start_matches('.').to_owned()
}

fn assert_refused(plugin: &str, keys: &[(&str, Kind)]) {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let whole = changed(&bench.configuration(), "type", json!(plugin));
    for (key, kind) in keys {
        for value in others(*kind) {
            let call = bench.call_with("ADD", "a", &changed(&whole, key, value.clone()));
            let words = [&*format!("{}: expected", written(key)), "network \"pods\""];
            call.run(&bench.node).assert_refused(6, &words);
        }
    }
    assert_eq!(pod.interfaces(), [""; 0]);
    bench.assert_clean();
}

#[test]
fn plugins_refuse_a_wrong_type_for_each_of_their_keys() {
    for (plugin, keys) in PLUGINS {
        assert_refused(plugin, keys);
    }
}

#[test]
fn all_keys_of_the_documentation_are_tried() {
    for (plugin, tried) in PLUGINS {
        let path = binaries::workspace().join(format!("docs/plugins/{plugin}.md"));
        let documentation = fs::read_to_string(path).unwrap();
        let rows = documentation
            .lines()
            .filter(|line| line.starts_with("| `") || line.starts_with("| a"));
        let first = rows.filter_map(|row| row.split('|').nth(1));
        let words = first.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        // `MAC` and `IP` are of CNI_ARGS, where all is text.
        let keys: Vec<_> = words
            .filter(|word| word.contains(char::is_lowercase))
            .collect();
        assert!(keys.len() > 2, "{plugin}: {keys:?}");
        for key in keys {
            let inner = format!(".{key}");
            let is_tried = tried
                .iter()
                .any(|(it, _)| *it == key || it.ends_with(&inner));
            assert!(is_tried, "{plugin}: {key}");
        }
    }
}

#[test]
fn gc_refuses_attachments_of_a_wrong_type_and_collects_nothing() {
    let bench = Bench::new();
    let whole = bench.configuration();
    for (plugin, list) in ["bridge", "host-local"]
        .iter()
        .flat_map(|p| ["cni.dev/valid-attachments", "cni.dev/attachments"].map(|l| (p, l)))
    {
        let whole = changed(&whole, "type", json!(plugin));
        for value in [
            json!("keeper"),
            json!({}),
            json!(true),
            json!(["keeper"]),
            json!([{"containerID": 5, "ifname": "eth0"}]),
            json!([{"containerID": "keeper", "ifname": ["eth0"]}]),
            json!([{"containerID": "a", "ifname": "eth0"}, 7]),
        ] {
            let mut configuration = whole.clone();
            configuration[list] = value;
            let call = bench.call_with("GC", "a", &configuration);
            bench.assert_refuses(&call, 6, &[list, "expected", "network \"pods\""]);
        }
        for incomplete in [
            json!([{"containerID": "keeper"}]),
            json!([{"ifname": "eth0"}]),
        ] {
            let mut configuration = whole.clone();
            configuration[list] = incomplete;
            let call = bench.call_with("GC", "a", &configuration);
            bench.assert_refuses(&call, 7, &[list, "missing field"]);
        }
    }
}

#[test]
fn del_takes_all_away_whatever_types_its_keys_have() {
    let bench = Bench::new();
    for (key, kind) in bridge::KEYS.iter().chain(host_local::KEYS) {
        // Where the addresses are can't be known without these.
        if ["ipam", "ipam.type", "ipam.dataDir"].contains(key) {
            continue;
        }
        let pod = bench.attach("a");
        let value = others(*kind).remove(0);
        let call = bench.call_with("DEL", "a", &changed(&bench.configuration(), key, value));
        let outcome = call.run(&bench.node);
        assert!(outcome.success(), "{key}: {outcome}");
        assert_eq!(pod.interfaces(), [""; 0], "{key}");
        assert_eq!(bench.leases(), ["10.1.5.2", "fd00:1:5::2"], "{key}");
    }
    bench.assert_clean();
}
