// SPDX-License-Identifier: Apache-2.0
//! What the kernel remembers of UDP flows. It translates a flow as it did its first packet, for as
//! long as packets come: without this a client that goes on asking never reaches the new container,
//! or is led to one that is gone.

use cni::{Code, Error, OrCode, warn};
use net::Rtnl;
use nft::Nft;
use nft::conntrack::{self, Flow};

use crate::mapping::{HostEnd, Mapping, Transport};
use crate::table::Held;

/// Forgets the flows to the host's ports as they were before the mappings.
pub(crate) fn forget_before(nft: &mut Nft, host: &Rtnl, mappings: &[Mapping]) -> Result<(), Error> {
    let mut udp = mappings.iter().filter(|it| is_udp(&it.host)).peekable();
    if udp.peek().is_none() {
        return Ok(());
    }
    let addresses = host.all_addresses();
    let addresses = addresses.or_code(Code::KERNEL, "read the host's addresses")?;
    let is_local = |flow: &Flow| {
        flow.destination.is_loopback()
            || addresses
                .iter()
                .any(|(_, own)| own.network.ip() == flow.destination)
    };
    for mapping in udp {
        forget(nft, &mapping.host, |flow| {
            let elsewhere = flow.answers_from != mapping.target;
            elsewhere
                && match mapping.host.address {
                    Some(address) => flow.destination == address,
                    None => is_local(flow),
                }
        })?;
    }
    Ok(())
}

/// Forgets the flows that were led to containers by mappings that are gone.
pub(crate) fn forget_after(nft: &mut Nft, removed: &[Held]) -> Result<(), Error> {
    let udp = removed.iter().filter(|held| is_udp(&held.mapping.host));
    let failed = udp.filter_map(|held| {
        let target = held.mapping.target;
        forget(nft, &held.mapping.host, |flow| flow.answers_from == target).err()
    });
    Error::join(failed.collect())
}

fn is_udp(host: &HostEnd) -> bool {
    host.transport == Transport::Udp
}

/// A kernel that can't be asked for flows is no obstacle, but worth a word.
fn forget(nft: &mut Nft, host: &HostEnd, stale: impl Fn(&Flow) -> bool) -> Result<(), Error> {
    match conntrack::forget_udp(nft, host.protocol, host.port, stale) {
        Err(error) if error.is_unsupported() => {
            warn(format_args!("flows of host port {host} are kept: {error}"));
            Ok(())
        }
        forgotten => forgotten.or_code(
            Code::FIREWALL,
            format_args!("forget the flows of host port {host}"),
        ),
    }
}
