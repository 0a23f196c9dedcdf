// SPDX-License-Identifier: Apache-2.0
//! Addresses that a user has chosen.

use std::net::IpAddr;

use crate::site::{NETWORK, SUBNETS, Site, seen};

const WISHES: &str =
    "--network own --ip 10.77.5.77 --ip6 fd00:77:5::77 --mac-address 02:77:00:00:00:01";

pub(crate) fn addresses_of_ones_own(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    let server = site.podman.run("server", WISHES);
    let addresses = ["10.77.5.77", "fd00:77:5::77"];
    let addresses = addresses.map(|text| text.parse::<IpAddr>().expect("an address"));
    assert_eq!(server.all_addresses(), addresses);
    assert_eq!(server.link("eth0").mac.to_string(), "02:77:00:00:00:01");
    let told = "{{.NetworkSettings.Networks.own.IPAddress}},\
                {{.NetworkSettings.Networks.own.GlobalIPv6Address}},\
                {{.NetworkSettings.Networks.own.MacAddress}}";
    let told = site.podman.say(&format!("inspect --format {told} server"));
    assert_eq!(told, "10.77.5.77,fd00:77:5::77,02:77:00:00:00:01");
    for address in addresses {
        seen(site.node, address, 80);
    }
    drop(server);
    site.end_last("server");
    // They are free again.
    drop(site.podman.run("server", WISHES));
    site.end_last("server");
    site.podman.say("network rm own");
}

pub(crate) fn an_address_that_is_taken(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    let server = site.podman.run("server", "--network own --ip 10.77.5.77");
    let before = site.differences();
    let refused = site
        .podman
        .run_outcome("other", "--network own --ip 10.77.5.77 -p 8081:80");
    assert!(!refused.success(), "{refused}");
    assert!(refused.stderr.contains("10.77.5.77"), "{refused}");
    site.podman.say("rm --force --time 0 other");
    assert_eq!(site.differences(), before);
    seen(site.node, server.ipv4("eth0"), 80);
    drop(server);
    site.end_last("server");
    site.podman.say("network rm own");
}
