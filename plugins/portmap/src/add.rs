// SPDX-License-Identifier: Apache-2.0
//! ADD: all of the attachment's mappings or none of them. What it found in front of it in the chain
//! is its result.

use cni::{Add, AddResult, Code, Error, OrCode};
use net::{Rtnl, Undo};
use nft::Nft;

use crate::conf::Conf;
use crate::mapping::resolve;
use crate::ruleset::OfNetwork;
use crate::table::{self, Refusal, Wish};
use crate::{flows, holder, localnet, sandbox};

/// Leads the host's ports to the container; without mappings it opens nothing.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::new(&call.network)?;
    let prev = call.chained()?;
    if conf.wishes.is_empty() {
        return Ok(prev.clone());
    }
    let addresses = prev.container_addresses(&call.attachment.ifname);
    let mappings = resolve(&conf.wishes, &addresses)?;
    let network = &call.network.name;
    let holder = holder::of(network, &call.attachment);
    let mut nft = Nft::open().or_code(Code::FIREWALL, "talk to nf_tables")?;
    let mappings = table::without_siblings(&mut nft, &holder, mappings)
        .or_code(Code::FIREWALL, "read the port mappings")?;
    if mappings.is_empty() {
        return Ok(prev.clone());
    }
    let host = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
    let ends = sandbox::ends(&host, &call.netns, &call.attachment, &mappings)?;
    let ports = localnet::ports(&host, &conf.policy, &mappings)?;
    let own_port = ends.port.as_ref().filter(|_| ends.bridge.is_none());
    let wish = Wish {
        network: OfNetwork::new(network, &conf.policy),
        holder: &holder,
        mappings: &mappings,
        addresses: &addresses,
        ports: &ports,
        own_port: own_port.map(|port| port.name.as_str()),
    };
    table::ensure(&mut nft, &wish).map_err(refused)?;
    let mut undo = Undo::new();
    undo.push(|| drop(take_back(network, &holder)));
    for port in wish.ports {
        port.open()?;
    }
    if conf.policy.snat.is_some() {
        sandbox::reflect(&host, &ends)?;
    }
    flows::forget_before(&mut nft, &host, &mappings)?;
    undo.disarm();
    Ok(prev.clone())
}

fn take_back(network: &str, holder: &str) -> Result<(), nft::Error> {
    let mut nft = Nft::open()?;
    table::remove(&mut nft, &holder::label(network), |it| it == holder).map(drop)
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Kernel(error) => Error::new(
            Code::FIREWALL,
            format!("lead ports of the host to the container: {error}"),
        ),
        Refusal::Taken { wish, by } => {
            let mut words = by.holder.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (network, container, ifname) = (word(), word(), word());
            let mut text = format!(
                "host port {wish} is taken: {ifname:?} of container {container:?} on network \
                 {network:?} has it"
            );
            if by.mapping.host != wish {
                text += &format!(" as {}", by.mapping.host);
            }
            Error::new(Code::PORT_TAKEN, text)
        }
    }
}
