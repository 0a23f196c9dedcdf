// SPDX-License-Identifier: Apache-2.0
//! What the kernel remembers of UDP flows. It translates a flow as it did its first packet, for as
//! long as packets come: without this a client that goes on asking never reaches the new container,
//! or is led to one that is gone.

use cni::{Code, Error, OrCode, warn};
use net::Rtnl;
use nft::conntrack::{self, Flow};
use nft::{Nft, Protocol};

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
    let udp: Vec<Mapping> = udp.copied().collect();
    forget(nft, &udp, |mapping, flow| {
        let elsewhere = flow.answers_from != mapping.target;
        elsewhere
            && match mapping.host.address {
                Some(address) => flow.destination == address,
                None => is_local(flow),
            }
    })
}

/// Forgets the flows that were led to containers by mappings that are gone.
pub(crate) fn forget_after(nft: &mut Nft, removed: &[Held]) -> Result<(), Error> {
    let mappings = removed.iter().map(|held| held.mapping);
    let udp: Vec<Mapping> = mappings.filter(|it| is_udp(&it.host)).collect();
    forget(nft, &udp, |mapping, flow| {
        flow.answers_from == mapping.target
    })
}

fn is_udp(host: &HostEnd) -> bool {
    host.transport == Transport::Udp
}

/// Forgets the flows that are stale for one of the mappings, looking once for each family. A kernel
/// that can't be asked for flows is no obstacle, but worth a word.
fn forget(
    nft: &mut Nft,
    mappings: &[Mapping],
    stale: impl Fn(&Mapping, &Flow) -> bool,
) -> Result<(), Error> {
    for protocol in Protocol::ALL {
        let of_family = mappings.iter().filter(|it| it.host.protocol == protocol);
        let of_family: Vec<&Mapping> = of_family.collect();
        let ports: Vec<u16> = of_family.iter().map(|it| it.host.port).collect();
        if ports.is_empty() {
            continue;
        }
        let is_stale = |flow: &Flow| {
            let mut of_port = of_family.iter().filter(|it| it.host.port == flow.port);
            of_port.any(|mapping| stale(mapping, flow))
        };
        match conntrack::forget_udp(nft, protocol, &ports, is_stale) {
            Err(error) if error.is_unsupported() => {
                warn(format_args!(
                    "flows of host ports {ports:?} are kept: {error}"
                ));
            }
            forgotten => forgotten.or_code(
                Code::FIREWALL,
                format_args!("forget the flows of host ports {ports:?}"),
            )?,
        }
    }
    Ok(())
}
