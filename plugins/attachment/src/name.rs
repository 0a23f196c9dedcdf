// SPDX-License-Identifier: Apache-2.0
//! How an attachment is recognised on the host without its sandbox: the host interface's name
//! follows from network, container ID and interface name, and its alias says so in words. So DEL
//! and GC find everything when the namespace is gone and no prevResult is given.

use cni::Attachment;
use sha2::{Digest, Sha512};

/// The alias of a bridge that plugin `bridge` made: its MAC address is explicit and pinned.
pub const BRIDGE_ALIAS: &str = "podwire";

/// Hexadecimal digits of the hash in an interface name: with `veth` 15 bytes, IFNAMSIZ - 1.
const NAME_DIGITS: usize = 11;

/// The kernel's limit for an alias, IFALIASZ - 1 of `linux/if.h`, of which one byte is the
/// terminating zero that goes along.
const ALIAS_MAX: usize = 254;

/// The host interface's name of an attachment: `veth` and 44 bits of a hash.
pub fn host_interface(network: &str, attachment: &Attachment) -> String {
    interface_name(&[network, &attachment.container_id, &attachment.ifname])
}

/// `veth` and 44 bits of a hash of `parts`, which may hold no NUL.
pub fn interface_name(parts: &[&str]) -> String {
    let digest = Sha512::digest(parts.join("\0"));
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digits = digits
        .take(NAME_DIGITS)
        .filter_map(|nibble| char::from_digit(nibble.into(), 16));
    "veth".chars().chain(digits).collect()
}

/// The host interface's alias: `podwire NETWORK CONTAINER-ID IFNAME`, cut to what the kernel takes.
pub fn alias(network: &str, attachment: &Attachment) -> String {
    let mut alias = alias_of_network(network) + &attachment.container_id + " " + &attachment.ifname;
    alias.truncate(alias.floor_char_boundary(ALIAS_MAX));
    alias
}

/// What the alias of every host interface of `network` begins with.
pub fn alias_of_network(network: &str) -> String {
    format!("podwire {network} ")
}

/// Whether `alias` is one that Podwire gives to host interfaces, whatever the network.
pub fn is_ours(alias: &str) -> bool {
    alias.starts_with("podwire ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(container_id: &str, ifname: &str) -> Attachment {
        Attachment {
            container_id: container_id.into(),
            ifname: ifname.into(),
        }
    }

    #[test]
    fn a_host_interface_has_a_legal_name_of_its_own() {
        let name = host_interface("net", &attachment("pod", "eth0"));
        assert_eq!(name.len(), 15);
        assert!(name.starts_with("veth") && name[4..].chars().all(|c| c.is_ascii_hexdigit()));
        for other in [
            host_interface("net2", &attachment("pod", "eth0")),
            host_interface("net", &attachment("pod2", "eth0")),
            host_interface("net", &attachment("pod", "eth1")),
            // The parts are told apart, not only their concatenation.
            host_interface("ne", &attachment("tpod", "eth0")),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn an_alias_fits_the_kernel_whatever_the_container_id() {
        let alias = alias("net", &attachment(&"x".repeat(400), "eth0"));
        assert_eq!(alias.len(), 254);
        assert!(alias.starts_with(&alias_of_network("net")) && is_ours(&alias));
        assert!(!is_ours(BRIDGE_ALIAS));
    }
}
