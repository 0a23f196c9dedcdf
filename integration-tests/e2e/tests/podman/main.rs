// SPDX-License-Identifier: Apache-2.0
//! podman with its CNI backend: the networks that it writes, unchanged, by Podwire's plugins,
//! and by the CNI project's own, which proves the tests.

mod addresses;
mod life;
mod networks;
mod ports;
mod site;

use integration_tests::binaries;

use crate::site::on_site;

/// Of Podwire's networks forwarding stays, directories of addresses and settings, and masquerade: no
/// verb tells a plugin of a network's end.
const KEPT: &[&str] = &[
    "forward",
    "/var/lib/cni",
    "directory /run/cni",
    " inet podwire masq-",
    " inet podwire exempt",
    " inet podwire postrouting",
    " inet podwire peers",
    " inet podwire pods",
    "nft table inet podwire ",
];
/// Of the reference's networks its chains stay, the jumps to them and the tables of iptables.
const KEPT_BY_REFERENCE: &[&str] = &["forward", "/var/lib/cni", "/run/cni", " ip ", " ip6 "];

/// Each scenario with Podwire's plugins, and with the CNI project's.
macro_rules! scenarios {
    ($($module:ident::$name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                on_site(binaries::plugins(), KEPT, crate::$module::$name);
            }
        )*

        mod reference {
            use super::*;
            $(
                #[test]
                fn $name() {
                    on_site(&binaries::go_plugins(), KEPT_BY_REFERENCE, crate::$module::$name);
                }
            )*
        }
    };
}

scenarios! {
    addresses::addresses_of_ones_own,
    addresses::an_address_that_is_taken,
    life::stopped_and_started,
    life::killed,
    life::removed_by_force,
    networks::two_networks,
    networks::connected_and_disconnected,
    networks::the_default_network,
    networks::isolated,
    networks::internal,
    ports::published,
    ports::published_by_udp,
}
