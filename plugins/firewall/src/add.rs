// SPDX-License-Identifier: Apache-2.0
//! ADD: all that the attachment needs of the host's firewall, or nothing of it.

use std::net::IpAddr;

use attachment::Ends;
use cni::{Add, AddResult, Attachment, Code, Error, OrCode, warn};
use ipnetwork::IpNetwork;
use net::{Link, Rtnl, Undo};
use nft::{Family, Nft};

use crate::conf::{Conf, Policy};
use crate::firewalld::Sources;
use crate::forward::{self, Passage};
use crate::ingress::{self, Guarded};
use crate::obstacle;
use crate::owner::Owner;

/// Opens the way to the attachment; the result is that of the plugins before.
pub(crate) fn add(call: &Add) -> Result<AddResult, Error> {
    let conf = Conf::new(&call.network)?;
    let result = call.chained()?;
    let wish = Wish::new(&conf, &call.network.name, &call.attachment, result)?;
    if wish.addresses.is_empty() && wish.guarded.is_none() {
        return Ok(result.clone());
    }
    wish.is_of(call)?;
    let mut nft = open()?;
    let mut undo = Undo::new();
    undo.push(|| drop(Nft::open().map(|mut nft| wish.sources().undo(&mut nft))));
    undo.push(|| drop(Nft::open().map(|mut nft| forward::remove(&mut nft, &wish.owner, &[]))));
    undo.push(|| drop(Nft::open().map(|mut nft| ingress::remove(&mut nft, &wish.owner))));
    if let Some(guarded) = &wish.guarded {
        let policy = guarded.policy.as_str();
        ingress::ensure(&mut nft, guarded).or_code(
            Code::FIREWALL,
            format_args!("apply ingress policy {policy:?}"),
        )?;
    }
    wish.passage()
        .ensure(&mut nft)
        .or_code(Code::FIREWALL, "let the pod's packets through")?;
    wish.sources().ensure(&mut nft)?;
    tell_of_obstacles(&mut nft, &wish.families());
    undo.disarm();
    Ok(result.clone())
}

/// What cannot be helped is said, and is no reason to refuse: the packets may be let through.
fn tell_of_obstacles(nft: &mut Nft, families: &[Family]) {
    for obstacle in obstacle::seek(nft, families).into_iter().flatten() {
        warn(obstacle.sentence());
    }
}

pub(crate) fn open() -> Result<Nft, Error> {
    Nft::open().or_code(Code::FIREWALL, "talk to nf_tables")
}

/// What an attachment is to have.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    /// Whose it is.
    pub(crate) owner: Owner,
    /// The attachment's addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// What is kept from it.
    pub(crate) guarded: Option<Guarded>,
    conf: &'a Conf,
}

impl<'a> Wish<'a> {
    /// What the configuration asks for an attachment with this result.
    pub(crate) fn new(
        conf: &'a Conf,
        network: &str,
        attachment: &Attachment,
        result: &AddResult,
    ) -> Result<Self, Error> {
        let owner = Owner::new(network, attachment);
        let addresses = result.container_addresses(&attachment.ifname);
        let guarded = match conf.policy {
            Policy::Open => None,
            policy => Some(guarded(policy, owner.clone(), result)?),
        };
        Ok(Self {
            owner,
            addresses: addresses.iter().map(IpNetwork::ip).collect(),
            guarded,
            conf,
        })
    }

    /// Refuses to open the way for addresses that the container does not have.
    fn is_of(&self, call: &Add) -> Result<(), Error> {
        let host = Rtnl::open().or_code(Code::KERNEL, "talk to the kernel")?;
        let ends = Ends::find(&host, &call.netns, &call.attachment)?;
        ends.ensure_addresses(self.addresses.iter().copied())
    }

    /// What it needs of others' tables.
    pub(crate) fn passage(&self) -> Passage<'_> {
        Passage {
            owner: &self.owner,
            addresses: &self.addresses,
            admin_chain: &self.conf.admin_chain,
        }
    }

    /// What it needs of firewalld.
    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources {
            owner: &self.owner,
            addresses: &self.addresses,
            zone: &self.conf.zone,
            demand: self.conf.demand,
        }
    }

    /// Whose chains see its packets.
    pub(crate) fn families(&self) -> Vec<Family> {
        let protocols = [(true, Family::Ipv4), (false, Family::Ipv6)];
        let has = |v4: bool| self.addresses.iter().any(|it| it.is_ipv4() == v4);
        let own = protocols.into_iter().filter(|(v4, _)| has(*v4));
        let own = own.map(|(_, family)| family);
        std::iter::once(Family::Inet).chain(own).collect()
    }
}

/// The bridge is the first interface that the plugins before have reported, as users of the
/// reference plugin know it; what is in a VLAN of it is routed by the VLAN's interface. The port is
/// found in the kernel.
fn guarded(policy: Policy, owner: Owner, result: &AddResult) -> Result<Guarded, Error> {
    let on_host = |name: &&cni::Interface| name.sandbox.is_none() && !name.name.is_empty();
    let mut interfaces = result.interfaces.iter().filter(on_host);
    let missing = || {
        let policy = policy.as_str();
        let msg = format!(
            "interface needs to be set for ingress policy {policy:?}, make sure to chain \
             \"firewall\" plugin with \"bridge\""
        );
        Error::new(Code::INVALID_CONFIG, msg)
    };
    let bridge = interfaces.next().ok_or_else(missing)?;
    let wish = || format!("look up the ports of {:?}", bridge.name);
    let rtnl = Rtnl::open().or_code(Code::KERNEL, wish())?;
    let link = rtnl.link(&bridge.name).or_code(Code::KERNEL, wish())?;
    let mut port = None;
    let mut gateway = None;
    let mut routed_by = &bridge.name;
    let is_port = |found: &Link| {
        found.master.is_some() && found.master == link.as_ref().map(|link| link.index)
    };
    for interface in interfaces {
        let found = rtnl.link(&interface.name).or_code(Code::KERNEL, wish())?;
        if is_vlan_of(&bridge.name, &interface.name) {
            routed_by = &interface.name;
            let other_end = found.and_then(|found| found.peer);
            let other_end = other_end.map_or(Ok(None), |index| rtnl.link_at(index));
            let other_end = other_end.or_code(Code::KERNEL, wish())?;
            gateway = other_end.filter(is_port).map(|port| port.name);
        } else if found.as_ref().is_some_and(is_port) {
            port = Some(interface.name.clone());
        }
    }
    Ok(Guarded {
        owner,
        bridge: routed_by.clone(),
        port,
        gateway,
        policy,
    })
}

/// Whether an interface has the name that plugin `bridge` gives to that of a VLAN.
fn is_vlan_of(bridge: &str, name: &str) -> bool {
    let number = name.strip_prefix(bridge);
    let number = number.and_then(|number| number.strip_prefix('.'));
    number.is_some_and(|number| number.parse::<u16>().is_ok())
}
