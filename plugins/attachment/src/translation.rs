// SPDX-License-Identifier: Apache-2.0
//! Masquerade as an attachment needs it: to be translated, or to be spared by the rules of the
//! networks that are.

use cni::{Attachment, Code, Error, OrCode};
use ipnetwork::IpNetwork;
use nft::Nft;
use nft::masquerade::{self, Masquerade};

use crate::name::host_interface;

/// How an attachment's packets are translated.
#[derive(Clone, Copy, Debug)]
pub struct Translation<'a> {
    /// The network's name.
    pub network: &'a str,
    /// The host interface's name, by which the rules know the attachment.
    pub port: &'a str,
    /// The attachment's addresses with their prefixes.
    pub addresses: &'a [IpNetwork],
    /// Masquerade, and the destinations that it spares; `None`: nothing is translated.
    pub exempt: Option<&'a [IpNetwork]>,
    /// Whether this host routes the subnets.
    pub routed: bool,
}

impl Translation<'_> {
    /// Makes what is missing of the rules.
    ///
    /// # Errors
    /// [`Code::FIREWALL`].
    pub fn ensure(&self, nft: &mut Nft) -> Result<(), Error> {
        let Self {
            network,
            port,
            addresses,
            routed,
            ..
        } = *self;
        match self.masquerade() {
            _ if addresses.is_empty() => Ok(()),
            Some(wish) => masquerade::ensure(nft, &wish).or_code(
                Code::FIREWALL,
                format_args!("masquerade network {network:?}"),
            ),
            None => masquerade::exclude(nft, network, port, addresses, routed).or_code(
                Code::FIREWALL,
                format_args!("keep network {network:?} from being masqueraded"),
            ),
        }
    }

    /// What differs from what [`ensure`](Self::ensure) makes, a sentence each.
    ///
    /// # Errors
    /// [`Code::FIREWALL`].
    pub fn missing(&self, nft: &mut Nft) -> Result<Vec<String>, Error> {
        let missing = match self.masquerade() {
            _ if self.addresses.is_empty() => return Ok(Vec::new()),
            Some(wish) => masquerade::missing(nft, &wish),
            None => masquerade::missing_exclusion(nft, self.network, self.port, self.addresses),
        };
        missing.or_code(Code::FIREWALL, "read the masquerade rules")
    }

    fn masquerade(&self) -> Option<Masquerade<'_>> {
        self.exempt.map(|exempt| Masquerade {
            network: self.network,
            owner: self.port,
            addresses: self.addresses,
            exempt,
        })
    }
}

/// Connects to nf_tables.
///
/// # Errors
/// [`Code::FIREWALL`].
pub fn open() -> Result<Nft, Error> {
    Nft::open().or_code(Code::FIREWALL, "talk to nf_tables")
}

/// Takes away what is the attachment's alone, also what the reference plugins made for it.
///
/// # Errors
/// [`Code::FIREWALL`].
pub fn release(nft: &mut Nft, network: &str, attachment: &Attachment) -> Result<(), Error> {
    let port = host_interface(network, attachment);
    let Attachment {
        container_id,
        ifname,
    } = attachment;
    let wish = "remove the attachment's firewall rules";
    Error::join(
        [
            masquerade::release(nft, network, &port),
            nft::reference::remove(nft, network, container_id, ifname),
        ]
        .into_iter()
        .filter_map(|released| released.or_code(Code::FIREWALL, wish).err())
        .collect(),
    )
}

/// Takes away what belongs to attachments of `network` other than those of `valid_ports`, and the
/// network's own rules when there is none.
///
/// # Errors
/// [`Code::FIREWALL`].
pub fn collect(nft: &mut Nft, network: &str, valid_ports: &[String]) -> Result<(), Error> {
    masquerade::collect(nft, network, valid_ports).or_code(
        Code::FIREWALL,
        format_args!("collect the firewall rules of network {network:?}"),
    )
}
