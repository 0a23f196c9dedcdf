// SPDX-License-Identifier: Apache-2.0
//! What the attachment needs of nf_tables: masquerade, and the check of source MAC addresses.

use cni::{Attachment, Code, Error, OrCode};
use ipnetwork::IpNetwork;
use net::Mac;
use nft::masquerade::{self, Masquerade};
use nft::{Nft, spoof};

use crate::conf::Conf;
use attachment::name::host_interface;

/// The rules of one attachment.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    /// The network's name.
    pub(crate) network: &'a str,
    /// The host interface's name, by which the rules know the attachment.
    pub(crate) port: &'a str,
    /// The attachment's addresses with their prefixes.
    pub(crate) addresses: &'a [IpNetwork],
    /// The container interface's MAC address.
    pub(crate) mac: Mac,
}

impl Rules<'_> {
    /// Makes what is missing of the rules that `conf` asks for.
    pub(crate) fn ensure(&self, conf: &Conf) -> Result<(), Error> {
        if self.addresses.is_empty() && !conf.mac_spoof_check {
            return Ok(());
        }
        let mut nft = open()?;
        let Self {
            network,
            port,
            addresses,
            mac,
        } = *self;
        if conf.mac_spoof_check {
            spoof::guard(&mut nft, network, port, mac.octets())
                .or_code(Code::FIREWALL, "guard against spoofed MAC addresses")?;
        }
        match &conf.masquerade {
            _ if addresses.is_empty() => Ok(()),
            Some(exempt) => masquerade::ensure(&mut nft, &self.masquerade(exempt)).or_code(
                Code::FIREWALL,
                format_args!("masquerade network {network:?}"),
            ),
            None => masquerade::exclude(&mut nft, network, port, addresses, conf.is_gateway)
                .or_code(
                    Code::FIREWALL,
                    format_args!("keep network {network:?} from being masqueraded"),
                ),
        }
    }

    /// What differs from what [`ensure`](Self::ensure) makes, a sentence each.
    pub(crate) fn missing(&self, conf: &Conf) -> Result<Vec<String>, Error> {
        let mut sentences = Vec::new();
        let mut nft = open()?;
        let Self {
            network,
            port,
            addresses,
            mac,
        } = *self;
        if conf.mac_spoof_check {
            let missing = spoof::missing(&mut nft, network, port, mac.octets());
            sentences.extend(missing.or_code(Code::FIREWALL, "read the check of source MACs")?);
        }
        if !addresses.is_empty() {
            let missing = match &conf.masquerade {
                Some(exempt) => masquerade::missing(&mut nft, &self.masquerade(exempt)),
                None => masquerade::missing_exclusion(&mut nft, network, port, addresses),
            };
            sentences.extend(missing.or_code(Code::FIREWALL, "read the masquerade rules")?);
        }
        Ok(sentences)
    }

    fn masquerade<'a>(&'a self, exempt: &'a [IpNetwork]) -> Masquerade<'a> {
        let Self {
            network,
            port,
            addresses,
            ..
        } = *self;
        Masquerade {
            network,
            owner: port,
            addresses,
            exempt,
        }
    }
}

/// Takes away what is the attachment's alone, also what the reference plugin made for it.
pub(crate) fn release(network: &str, attachment: &Attachment) -> Result<(), Error> {
    let mut nft = open()?;
    let port = host_interface(network, attachment);
    let Attachment {
        container_id,
        ifname,
    } = attachment;
    let wish = "remove the attachment's firewall rules";
    Error::join(
        [
            masquerade::release(&mut nft, network, &port),
            spoof::release(&mut nft, &port),
            nft::reference::remove(&mut nft, network, container_id, ifname),
        ]
        .into_iter()
        .filter_map(|released| released.or_code(Code::FIREWALL, wish).err())
        .collect(),
    )
}

/// Takes away what belongs to attachments of `network` other than those of `valid_ports`, and the
/// network's own rules when there is none.
pub(crate) fn collect(network: &str, valid_ports: &[String]) -> Result<(), Error> {
    let mut nft = open()?;
    let wish = format!("collect the firewall rules of network {network:?}");
    Error::join(
        [
            masquerade::collect(&mut nft, network, valid_ports),
            spoof::collect(&mut nft, network, valid_ports),
        ]
        .into_iter()
        .filter_map(|collected| collected.or_code(Code::FIREWALL, &wish).err())
        .collect(),
    )
}

fn open() -> Result<Nft, Error> {
    Nft::open().or_code(Code::FIREWALL, "talk to nf_tables")
}
