// SPDX-License-Identifier: Apache-2.0
//! Which UDP ports programs have, told without taking one: a probe that binds the port would keep
//! it from an ADD at the same moment.

use std::fs;
use std::num::NonZeroU16;

/// The kernel's lists of the UDP sockets of this namespace: proc_net(5).
const LISTS: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// Whether a program has this port. The kernel's own sockets, a VXLAN device's for example, have
/// no inode and are not meant.
pub(crate) fn is_taken(port: NonZeroU16) -> bool {
    let lists = LISTS.map(|path| fs::read_to_string(path).unwrap_or_default());
    lists.iter().any(|list| holds(list, port))
}

fn holds(list: &str, port: NonZeroU16) -> bool {
    let mut sockets = list.lines().skip(1);
    sockets.any(|line| {
        let mut fields = line.split_whitespace();
        let (local, inode) = (fields.nth(1), fields.nth(7));
        let local = local.and_then(|local| local.rsplit(':').next());
        let local = local.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        local == Some(port.get()) && inode != Some("0")
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_programs_socket_is_seen() {
        for address in ["127.0.0.1:0", "[::]:0"] {
            let socket = UdpSocket::bind(address).unwrap();
            let port = socket.local_addr().unwrap().port().try_into().unwrap();
            assert!(is_taken(port), "{address}");
            drop(socket);
            assert!(!is_taken(port), "{address}");
        }
    }

    #[test]
    fn the_kernels_socket_is_not_meant() {
        let list = "sl local_address rem_address st ...\n \
            7: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 INODE 2";
        let port = 0x2118.try_into().unwrap();
        assert!(holds(&list.replace("INODE", "4711"), port));
        assert!(!holds(&list.replace("INODE", "0"), port));
    }
}
