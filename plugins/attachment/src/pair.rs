// SPDX-License-Identifier: Apache-2.0
//! An attachment's pair: made in one request, the far end in the sandbox from the beginning.

use cni::{Attachment, Code, Error, OrCode};
use net::{Kind, Mac, Netns, NewVeth, Rtnl, VethEnd};

use crate::name::{alias, host_interface};
use crate::sandbox::Sandbox;

/// The MTU in bytes of a pair that was given none, ETH_DATA_LEN of `linux/if_ether.h`.
const DEFAULT_MTU: u32 = 1500;

/// A pair to be made.
#[derive(Debug)]
pub struct NewPair<'a> {
    /// The network's name.
    pub network: &'a str,
    /// The attachment that the pair is.
    pub attachment: &'a Attachment,
    /// Where the container interface is made.
    pub netns: &'a Netns,
    /// The container's MAC address; `None` for a random one.
    pub mac: Option<Mac>,
    /// The MTU of both ends in bytes; `None` leaves it to the kernel.
    pub mtu: Option<u32>,
    /// Name and index of the bridge that the host interface is a port of.
    pub bridge: Option<(&'a str, u32)>,
}

/// An attachment's pair as it was made.
#[derive(Debug)]
pub struct Pair {
    /// The host interface.
    pub host: End,
    /// The container interface.
    pub container: End,
    /// The MTU of both in bytes.
    pub mtu: u32,
}

/// One end of the pair, in its own namespace.
#[derive(Debug)]
pub struct End {
    /// The interface's index.
    pub index: u32,
    /// The interface's name.
    pub name: String,
    /// The interface's MAC address.
    pub mac: Mac,
}

impl Pair {
    /// Makes the pair, the host interface up. An error leaves nothing of it.
    ///
    /// # Errors
    /// [`Code::KERNEL`].
    pub fn create(rtnl: &Rtnl, new: &NewPair<'_>) -> Result<Self, Error> {
        let attachment = new.attachment;
        let random = || Mac::random().or_code(Code::KERNEL, "choose a MAC address");
        let (host_mac, container_mac) = (random()?, new.mac.map_or_else(random, Ok)?);
        let host_name = host_interface(new.network, attachment);
        let alias = alias(new.network, attachment);
        let pair = NewVeth {
            host: VethEnd {
                name: &host_name,
                mac: host_mac,
                up: true,
                master: new.bridge.map(|(_, index)| index),
                alias: Some(&alias),
            },
            container: VethEnd {
                name: &attachment.ifname,
                mac: container_mac,
                // Up when all is ready: no frame passes before VLANs and checks are there.
                up: false,
                master: None,
                alias: None,
            },
            mtu: new.mtu,
            container_ns: Some(new.netns),
        };
        let to = new.bridge.map_or("the host", |(name, _)| name);
        let Attachment {
            container_id,
            ifname,
        } = attachment;
        let wish = format_args!("attach {ifname} of {container_id} to {to}");
        let made = rtnl.create_veth(&pair).or_code(Code::KERNEL, wish)?;
        Ok(Self {
            host: End {
                index: made.host,
                name: host_name,
                mac: host_mac,
            },
            container: End {
                index: made.container,
                name: ifname.clone(),
                mac: container_mac,
            },
            mtu: new.mtu.unwrap_or(DEFAULT_MTU),
        })
    }
}

/// Refuses an attachment that is there already. Asked before the IPAM plugin is started: the
/// rollback of a second ADD must not release the address of the first.
///
/// # Errors
/// [`Code::ALREADY_ATTACHED`]; [`Code::CONFLICT`] when something else has the host interface's
/// name.
pub fn ensure_absent(
    rtnl: &Rtnl,
    (network, attachment): (&str, &Attachment),
    sandbox: &Sandbox<'_>,
) -> Result<(), Error> {
    if sandbox.interface()?.is_some() {
        let msg = format!(
            "the sandbox already has an interface {:?}",
            attachment.ifname
        );
        return Err(Error::new(Code::ALREADY_ATTACHED, msg)
            .with_details("DEL the attachment that made it, or use another CNI_IFNAME"));
    }
    let name = host_interface(network, attachment);
    let holder = rtnl
        .link(&name)
        .or_code(Code::KERNEL, "look for an earlier attachment")?;
    let Some(holder) = holder else { return Ok(()) };
    // A pair without an alias is what an ADD that was killed left.
    let own = alias(network, attachment);
    let is_own = holder.kind == Kind::Veth && holder.alias.is_none_or(|alias| alias == own);
    let (code, whose) = if is_own {
        (
            Code::ALREADY_ATTACHED,
            "of this same attachment, in another sandbox: DEL it first",
        )
    } else {
        (Code::CONFLICT, "that is not this attachment's")
    };
    Err(Error::new(
        code,
        format!("the host already has an interface {name:?} {whose}"),
    ))
}
