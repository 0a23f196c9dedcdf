// SPDX-License-Identifier: Apache-2.0
//! Who may use whom: `docs/architecture.md`, held against what cargo says.

use std::collections::BTreeSet;

use integration_tests::Metadata;

/// Each package with those of this workspace that it may name as a dependency. A new package
/// needs a line here and in `docs/architecture.md`.
const ARROWS: [(&str, &[&str]); 19] = [
    ("podwire-cni", &[]),
    ("podwire-net", &[]),
    ("podwire-nft", &[]),
    (
        "podwire-attachment",
        &["podwire-cni", "podwire-net", "podwire-nft"],
    ),
    (
        "bandwidth",
        &["podwire-attachment", "podwire-cni", "podwire-net"],
    ),
    (
        "bridge",
        &[
            "podwire-attachment",
            "podwire-cni",
            "podwire-net",
            "podwire-nft",
        ],
    ),
    (
        "firewall",
        &[
            "podwire-attachment",
            "podwire-cni",
            "podwire-net",
            "podwire-nft",
        ],
    ),
    ("loopback", &["podwire-cni", "podwire-net"]),
    (
        "portmap",
        &[
            "podwire-attachment",
            "podwire-cni",
            "podwire-net",
            "podwire-nft",
        ],
    ),
    ("ptp", &["podwire-attachment", "podwire-cni", "podwire-net"]),
    ("host-local", &["podwire-cni"]),
    ("static", &["podwire-cni"]),
    (
        "tuning",
        &[
            "podwire-attachment",
            "podwire-cni",
            "podwire-net",
            "podwire-nft",
        ],
    ),
    ("flannel", &["podwire-cni"]),
    ("podwire-topology", &[]),
    (
        "podwire-dataplane",
        &["podwire-net", "podwire-nft", "podwire-topology"],
    ),
    (
        "vxlan",
        &[
            "podwire-attachment",
            "podwire-cni",
            "podwire-dataplane",
            "podwire-net",
            "podwire-nft",
            "podwire-topology",
        ],
    ),
    (
        "podwired",
        &[
            "podwire-dataplane",
            "podwire-kubernetes",
            "podwire-net",
            "podwire-nft",
            "podwire-topology",
        ],
    ),
    ("podwire-kubernetes", &["podwire-topology"]),
];

/// The tests may use anything.
const TESTS: [&str; 2] = ["integration-tests", "e2e-tests"];

#[test]
fn packages_use_only_what_they_may() {
    let metadata = Metadata::read();
    let members = metadata.members();
    for name in members.keys().filter(|name| !is_test(name)) {
        let row = ARROWS.iter().find(|(package, _)| package == name);
        let (_, allowed) = row.unwrap_or_else(|| panic!("no arrows are decided for {name}"));
        let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
        let used = metadata.uses(name);
        let wrong: BTreeSet<_> = used.difference(&allowed).collect();
        assert!(wrong.is_empty(), "{name} may not use {wrong:?}");
    }
}

#[test]
fn nobody_uses_the_tests() {
    let metadata = Metadata::read();
    let members = metadata.members();
    for name in members.keys().filter(|name| !is_test(name)) {
        let used = metadata.uses(name);
        let tests: Vec<_> = used.iter().filter(|used| is_test(used)).collect();
        assert!(tests.is_empty(), "{name} uses {tests:?}");
    }
}

fn is_test(package: &str) -> bool {
    TESTS.contains(&package)
}

#[test]
fn plugins_are_built_without_tokio() {
    let metadata = Metadata::read();
    let plugins = metadata.members().into_iter();
    let plugins: Vec<_> = plugins
        .filter(|(_, directory)| {
            ["plugins/", "ipam/", "overlay/flannel", "overlay/vxlan"]
                .iter()
                .any(|part| directory.starts_with(part))
        })
        .collect();
    assert!(plugins.len() >= 8, "{plugins:?}");
    for (name, _) in plugins {
        let used = metadata.closure(&name);
        assert!(used.len() > 3, "{name}: {used:?}");
        assert!(!used.contains("tokio"), "{name} is built with tokio");
    }
}
