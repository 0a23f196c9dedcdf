// SPDX-License-Identifier: Apache-2.0
//! Addresses of links.

use std::process::Command;
use std::time::Duration;

use net::{Address, LinkChange, sysctl};

use crate::{find, in_namespace, network, pair, running_pair, set_up};

#[test]
fn an_address_is_there_with_its_prefix_and_nothing_of_other_links() {
    in_namespace(|rtnl| {
        let (left, right) = running_pair(rtnl);
        rtnl.add_address(left.index, network("10.1.2.3/24"), true)
            .unwrap();
        rtnl.add_address(left.index, network("2001:db8::3/64"), true)
            .unwrap();
        rtnl.add_address(right.index, network("10.9.9.9/32"), true)
            .unwrap();
        let all = rtnl.addresses(left.index).unwrap();
        let mine: Vec<Address> = all
            .into_iter()
            .filter(|address| !address.link_local)
            .collect();
        let settled = |text| Address {
            network: network(text),
            tentative: false,
            dad_failed: false,
            link_local: false,
            deprecated: false,
            secondary: false,
        };
        assert_eq!(mine, [settled("10.1.2.3/24"), settled("2001:db8::3/64")]);
        // With the address came the routes to its subnets.
        let subnets: Vec<_> = rtnl
            .routes(left.index)
            .unwrap()
            .into_iter()
            .map(|route| route.dst)
            .collect();
        assert!(subnets.contains(&network("10.1.2.0/24")), "{subnets:?}");
        assert!(subnets.contains(&network("2001:db8::/64")), "{subnets:?}");
    });
}

#[test]
fn addresses_that_nothing_new_should_begin_from_are_told() {
    in_namespace(|rtnl| {
        let (left, _) = running_pair(rtnl);
        for arguments in [
            "address add 10.1.2.3/24 dev left",
            "address add 10.1.2.4/24 dev left",
            "address add 2001:db8::3/64 dev left nodad",
            "address add 2001:db8::4/64 dev left nodad preferred_lft 0",
        ] {
            let mut command = Command::new("ip");
            let done = command.args(arguments.split(' ')).status().unwrap();
            assert!(done.success(), "ip {arguments}");
        }
        let all = rtnl.addresses(left.index).unwrap();
        let of = |text: &str| {
            let found = all.iter().find(|address| address.network == network(text));
            found.map(|address| (address.secondary, address.deprecated))
        };
        assert_eq!(of("10.1.2.3/24"), Some((false, false)));
        assert_eq!(of("10.1.2.4/24"), Some((true, false)));
        assert_eq!(of("2001:db8::3/64"), Some((false, false)));
        assert_eq!(of("2001:db8::4/64"), Some((false, true)));
    });
}

#[test]
fn without_nodad_an_ipv6_address_is_tentative_until_it_has_settled() {
    in_namespace(|rtnl| {
        let (left, _) = running_pair(rtnl);
        rtnl.wait_settled(left.index, Duration::from_secs(30))
            .unwrap();
        let wished = network("2001:db8::3/64");
        rtnl.add_address(left.index, wished, false).unwrap();
        let find = |all: Vec<Address>| all.into_iter().find(|address| address.network == wished);
        let before = find(rtnl.addresses(left.index).unwrap()).unwrap();
        assert!(before.tentative && !before.dad_failed);
        let in_time = find(rtnl.wait_settled(left.index, Duration::ZERO).unwrap()).unwrap();
        assert!(in_time.tentative);
        let after = rtnl
            .wait_settled(left.index, Duration::from_secs(30))
            .unwrap();
        assert!(!find(after).unwrap().tentative);
    });
}

#[test]
fn an_address_that_another_host_has_fails() {
    in_namespace(|rtnl| {
        let (left, right) = running_pair(rtnl);
        rtnl.add_address(right.index, network("2001:db8::3/64"), true)
            .unwrap();
        rtnl.add_address(left.index, network("2001:db8::3/64"), false)
            .unwrap();
        let all = rtnl
            .wait_settled(left.index, Duration::from_secs(30))
            .unwrap();
        assert!(all.iter().any(|address| address.dad_failed), "{all:?}");
    });
}

#[test]
fn the_broadcast_address_is_set_where_a_subnet_has_one() {
    in_namespace(|rtnl| {
        let (left, _) = running_pair(rtnl);
        rtnl.add_address(left.index, network("10.1.2.3/24"), true)
            .unwrap();
        rtnl.add_address(left.index, network("10.1.3.2/31"), true)
            .unwrap();
        let table = std::fs::read_to_string("/proc/thread-self/net/fib_trie").unwrap();
        let broadcasts = |ip: &str| {
            let mut lines = table.lines();
            lines.any(|line| line.trim_end().ends_with(ip))
                && lines
                    .next()
                    .is_some_and(|line| line.contains("link BROADCAST"))
        };
        assert!(broadcasts("10.1.2.255"), "{table}");
        assert!(!broadcasts("10.1.3.3"), "{table}");
    });
}

#[test]
fn an_address_comes_once_and_goes_once() {
    in_namespace(|rtnl| {
        rtnl.create_veth(&pair("left", "right")).unwrap();
        let left = find(rtnl, "left").index;
        for text in ["10.1.2.3/24", "2001:db8::3/64"] {
            let address = network(text);
            rtnl.add_address(left, address, true).unwrap();
            let error = rtnl.add_address(left, address, true).unwrap_err();
            assert!(error.is_exists(), "{error}");
            let named = format!("cannot give the link \"left\" {text}: File exists");
            assert!(error.to_string().starts_with(&named), "{error}");
            rtnl.delete_address(left, address).unwrap();
            let error = rtnl.delete_address(left, address).unwrap_err();
            assert!(error.is_not_found(), "{error}");
        }
        assert_eq!(rtnl.addresses(left).unwrap(), []);
    });
}

#[test]
fn the_kernels_own_link_local_address_is_recognised() {
    in_namespace(|rtnl| {
        let (left, _) = running_pair(rtnl);
        let all = rtnl
            .wait_settled(left.index, Duration::from_secs(30))
            .unwrap();
        assert!(all.iter().any(|address| address.link_local), "{all:?}");
    });
}

#[test]
fn lo_has_its_addresses_when_it_is_up() {
    in_namespace(|rtnl| {
        set_up(rtnl, "lo");
        let all = rtnl.addresses(find(rtnl, "lo").index).unwrap();
        let networks: Vec<_> = all.into_iter().map(|address| address.network).collect();
        assert_eq!(networks, [network("127.0.0.1/8"), network("::1/128")]);
    });
}

#[test]
fn a_link_that_is_gone_has_no_addresses_to_list_or_change() {
    in_namespace(|rtnl| {
        for error in [
            rtnl.addresses(4711).unwrap_err(),
            rtnl.add_address(4711, network("10.1.2.3/24"), true)
                .unwrap_err(),
            rtnl.delete_address(4711, network("10.1.2.3/24"))
                .unwrap_err(),
            rtnl.change_link(4711, &LinkChange::default()).unwrap_err(),
        ] {
            assert!(error.is_not_found(), "{error}");
            assert!(error.to_string().contains("4711"), "{error}");
        }
    });
}

#[test]
fn an_ipv6_address_on_a_link_without_ipv6_is_refused_with_a_reason() {
    in_namespace(|rtnl| {
        rtnl.create_veth(&pair("left", "right")).unwrap();
        sysctl::ensure("net/ipv6/conf/left/disable_ipv6", "1").unwrap();
        let left = find(rtnl, "left").index;
        let error = rtnl
            .add_address(left, network("2001:db8::3/64"), true)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("IPv6 is disabled on this device"),
            "{error}"
        );
    });
}

#[test]
fn the_addresses_of_all_links_come_with_their_links() {
    in_namespace(|host| {
        let (left, right) = running_pair(host);
        for (link, address) in [(&left, "10.1.2.3/24"), (&right, "fd00::3/64")] {
            host.add_address(link.index, network(address), true)
                .unwrap();
        }
        let all = host.all_addresses().unwrap();
        for (link, address) in [(&left, "10.1.2.3/24"), (&right, "fd00::3/64")] {
            let held = |(index, it): &&(u32, Address)| {
                (*index, it.network) == (link.index, network(address))
            };
            assert_eq!(all.iter().filter(held).count(), 1, "{all:?}");
        }
    });
}
