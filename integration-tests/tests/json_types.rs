// SPDX-License-Identifier: Apache-2.0
//! Every key with a JSON type that is not its own: refused by name, before anything is changed.

use std::fs;

use integration_tests::{Bench, binaries, changed};
use serde_json::{Value, json};

use Kind::{Boolean, Integer, List, Number, Object, Text, TextOrList};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Boolean,
    Integer,
    Number,
    List,
    Object,
    /// One of what is meant, or a list of it.
    TextOrList,
}

const BRIDGE: [(&str, Kind); 36] = [
    ("bridge", Text),
    ("isGateway", Boolean),
    ("isDefaultGateway", Boolean),
    ("forceAddress", Boolean),
    ("ipMasq", Boolean),
    ("ipMasqBackend", Text),
    ("nonMasqueradeCIDRs", List),
    ("nonMasqueradeCIDRs.0", Text),
    ("mtu", Integer),
    ("hairpinMode", Boolean),
    ("promiscMode", Boolean),
    ("vlan", Integer),
    ("vlanTrunk", List),
    ("vlanTrunk.0", Object),
    ("vlanTrunk.0.id", Integer),
    ("vlanTrunk.0.minID", Integer),
    ("vlanTrunk.0.maxID", Integer),
    ("preserveDefaultVlan", Boolean),
    ("macspoofchk", Boolean),
    ("enabledad", Boolean),
    ("disableContainerInterface", Boolean),
    ("portIsolation", Boolean),
    ("ipam", Object),
    ("ipam.type", Text),
    ("dns", Object),
    ("dns.nameservers", List),
    ("dns.nameservers.0", Text),
    ("dns.domain", Text),
    ("dns.search", List),
    ("dns.search.0", Text),
    ("dns.options", List),
    ("args", Object),
    ("args.cni", Object),
    ("args.cni.mac", Text),
    ("runtimeConfig", Object),
    ("runtimeConfig.mac", Text),
];

const HOST_LOCAL: [(&str, Kind); 32] = [
    ("ipam", Object),
    ("ipam.ranges", List),
    ("ipam.ranges.0", List),
    ("ipam.ranges.0.0", Object),
    ("ipam.ranges.0.0.subnet", Text),
    ("ipam.ranges.0.0.rangeStart", Text),
    ("ipam.ranges.0.0.rangeEnd", Text),
    ("ipam.ranges.0.0.gateway", Text),
    ("ipam.subnet", Text),
    ("ipam.rangeStart", Text),
    ("ipam.rangeEnd", Text),
    ("ipam.gateway", Text),
    ("ipam.routes", List),
    ("ipam.routes.0", Object),
    ("ipam.routes.0.dst", Text),
    ("ipam.routes.0.gw", Text),
    ("ipam.routes.0.mtu", Integer),
    ("ipam.routes.0.advmss", Integer),
    ("ipam.routes.0.priority", Integer),
    ("ipam.routes.0.table", Integer),
    ("ipam.routes.0.scope", Integer),
    ("ipam.dataDir", Text),
    ("ipam.resolvConf", Text),
    ("ipam.lockTimeout", Number),
    ("ipam.statusWhenExhausted", Boolean),
    ("runtimeConfig", Object),
    ("runtimeConfig.ipRanges", List),
    ("runtimeConfig.ipRanges.0", List),
    ("runtimeConfig.ips", List),
    ("runtimeConfig.ips.0", Text),
    ("args.cni.ips", List),
    ("args.cni.ips.0", Text),
];

const VXLAN: [(&str, Kind); 18] = [
    ("nodes", List),
    ("nodes.0", Object),
    ("nodes.0.name", Text),
    ("nodes.0.underlay", TextOrList),
    ("nodes.0.podCIDRs", TextOrList),
    ("nodes.0.mac", Text),
    ("nodes.0.macV6", Text),
    ("nodesFile", Text),
    ("stateFile", Text),
    ("node", Text),
    ("network", TextOrList),
    ("network.0", Text),
    ("vni", Integer),
    ("port", Integer),
    ("mtu", Integer),
    ("underlay", Text),
    ("directRouting", Boolean),
    ("sourceFilter", Boolean),
];

const FLANNEL: [(&str, Kind); 16] = [
    ("subnetFile", Text),
    ("dataDir", Text),
    ("delegate", Object),
    ("delegate.type", Text),
    ("ipam", Object),
    ("ipam.type", Text),
    ("ipam.routes", List),
    ("ipam.routes.0", Object),
    ("ipam.routes.0.dst", Text),
    ("ipam.routes.0.gw", Text),
    ("ipam.routes.0.mtu", Integer),
    ("ipam.routes.0.advmss", Integer),
    ("ipam.routes.0.priority", Integer),
    ("ipam.routes.0.table", Integer),
    ("ipam.routes.0.scope", Integer),
    ("runtimeConfig", Object),
];

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
fn bridge_refuses_a_wrong_type_for_each_of_its_keys() {
    assert_refused("bridge", &BRIDGE);
}

#[test]
fn host_local_refuses_a_wrong_type_for_each_of_its_keys() {
    assert_refused("host-local", &HOST_LOCAL);
}

#[test]
fn vxlan_refuses_a_wrong_type_for_each_of_its_keys() {
    assert_refused("vxlan", &VXLAN);
}

#[test]
fn flannel_refuses_a_wrong_type_for_each_of_its_keys() {
    assert_refused("flannel", &FLANNEL);
}

#[test]
fn all_keys_of_the_documentation_are_tried() {
    let path = binaries::workspace().join("docs/configuration.md");
    let documentation = fs::read_to_string(path).unwrap();
    let rows = documentation
        .lines()
        .filter(|line| line.starts_with("| `") || line.starts_with("| a"));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    let words = first.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    // `MAC` and `IP` are of CNI_ARGS, where all is text; options are of a command line.
    let keys: Vec<_> = words
        .filter(|word| word.contains(char::is_lowercase) && !word.starts_with('-'))
        .collect();
    assert!(keys.len() > 35, "{keys:?}");
    for key in keys {
        let tried = BRIDGE
            .iter()
            .chain(&HOST_LOCAL)
            .chain(&VXLAN)
            .chain(&FLANNEL)
            .any(|(tried, _)| *tried == key || tried.ends_with(&format!(".{key}")));
        assert!(tried, "{key}");
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
    for (key, kind) in BRIDGE.iter().chain(&HOST_LOCAL) {
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
