// SPDX-License-Identifier: Apache-2.0
//! Names of sysctls, and in which order they are set.

use proptest::prelude::*;

use super::*;

fn file(key: &str) -> String {
    path(key, "eth0").unwrap()
}

fn sysctls(keys: &[&str]) -> Vec<Sysctl> {
    let map = keys
        .iter()
        .map(|key| (key.to_string(), Some("1".to_owned())));
    read(&map.collect(), "eth0").unwrap()
}

#[test]
fn the_first_separator_decides_what_the_other_one_is() {
    for (key, path) in [
        ("net.core.somaxconn", "net/core/somaxconn"),
        ("net/core/somaxconn", "net/core/somaxconn"),
        (
            "net.ipv4.conf.IFNAME.arp_filter",
            "net/ipv4/conf/eth0/arp_filter",
        ),
        (
            "net/ipv4/conf/IFNAME/arp_filter",
            "net/ipv4/conf/eth0/arp_filter",
        ),
        ("net/ipv4/conf/eth0.100/mtu", "net/ipv4/conf/eth0.100/mtu"),
        ("net.ipv4.conf.eth0/100.mtu", "net/ipv4/conf/eth0.100/mtu"),
        ("/net//ipv4/ip_forward", "net/ipv4/ip_forward"),
    ] {
        assert_eq!(file(key), path, "{key}");
    }
}

#[test]
fn a_name_with_a_dot_may_stand_for_ifname() {
    let found = path("net.ipv4.conf.IFNAME.mtu", "eth0.100").unwrap();
    assert_eq!(found, "net/ipv4/conf/eth0.100/mtu");
}

#[test]
fn what_is_not_below_net_is_refused() {
    for key in [
        "",
        "net",
        "net.",
        "kernel.shmmax",
        "network.a",
        "net/../kernel/shmmax",
        "net/ipv4/../core/somaxconn",
        "net./.a",
        "net/./a",
        "net.//.kernel.a",
        "net/core/a\0",
        "../net/a",
    ] {
        let error = path(key, "eth0").unwrap_err();
        assert_eq!(error.code, Code::INVALID_CONFIG);
        assert_eq!(error.msg, format!("invalid net sysctl key: {key:?}"));
    }
}

#[test]
fn one_sysctl_has_one_value() {
    let keys = ["net.core.somaxconn", "net/core/somaxconn"];
    let map = keys.map(|key| (key.to_owned(), Some("1".to_owned())));
    let error = read(&BTreeMap::from(map), "eth0").unwrap_err();
    assert!(
        error
            .msg
            .starts_with("sysctl net/core/somaxconn is given twice"),
        "{error}"
    );
}

#[test]
fn those_of_args_replace_and_the_common_ones_come_first() {
    let own = sysctls(&[
        "net.ipv4.conf.eth0.forwarding",
        "net.ipv4.conf.all.forwarding",
        "net.ipv4.ip_forward",
        "net.core.somaxconn",
    ]);
    let mut args = sysctls(&["net/core/somaxconn", "net.ipv6.conf.default.mtu"]);
    args[1].value = "2".to_owned();
    let all = together(own, args);
    let text = |it: &Sysctl| format!("{} {}", it.path, it.value);
    assert_eq!(
        all.iter().map(text).collect::<Vec<_>>(),
        [
            "net/core/somaxconn 2",
            "net/ipv4/ip_forward 1",
            "net/ipv4/conf/all/forwarding 1",
            "net/ipv6/conf/default/mtu 1",
            "net/ipv4/conf/eth0/forwarding 1",
        ]
    );
}

#[test]
fn interfaces_of_the_attachment_are_its_own_and_those_that_were_made_for_it() {
    let mut prev = AddResult::default();
    let own = sysctls(&[
        "net.ipv4.conf.IFNAME.mtu",
        "net.ipv4.conf.all.mtu",
        "net.ipv6.neigh.default.mtu",
        "net.ipv4.conf.lo.mtu",
        "net.ipv4.neigh.eth0.mtu",
    ]);
    assert_eq!(refuse_others(&own, "eth0", &prev), Ok(()));
    let other = sysctls(&["net.ipv6.conf.net1.mtu"]);
    let error = refuse_others(&other, "eth0", &prev).unwrap_err();
    assert_eq!(
        error.msg,
        "sysctl net/ipv6/conf/net1/mtu is of interface \"net1\", which is none of this attachment's"
    );
    prev.interfaces.push(cni::Interface {
        name: "net1".to_owned(),
        sandbox: Some("/run/netns/a".to_owned()),
        ..cni::Interface::default()
    });
    assert_eq!(refuse_others(&other, "eth0", &prev), Ok(()));
}

proptest! {
    #[test]
    fn no_key_leads_out_of_net(key in "(net)?[a-zIFNAME./]{0,24}|.{0,24}", ifname in "[a-z.]{1,15}") {
        if let Ok(path) = path(&key, &ifname) {
            prop_assert!(path.starts_with("net/"), "{}", path);
            let climbs = |name: &str| ["", ".", ".."].contains(&name);
            prop_assert!(!path.split('/').any(climbs), "{}", path);
        }
    }
}
