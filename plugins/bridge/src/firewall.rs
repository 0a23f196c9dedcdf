// SPDX-License-Identifier: Apache-2.0
//! What the attachment needs of nf_tables: masquerade, and the check of source MAC addresses.

use attachment::Translation;
use attachment::name::host_interface;
use attachment::translation::{self, open};
use cni::{Attachment, Code, Error, OrCode};
use ipnetwork::IpNetwork;
use net::Mac;
use nft::spoof;

use crate::conf::Conf;

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
        if conf.mac_spoof_check {
            spoof::guard(&mut nft, self.network, self.port, self.mac.octets())
                .or_code(Code::FIREWALL, "guard against spoofed MAC addresses")?;
        }
        self.translation(conf).ensure(&mut nft)
    }

    /// What differs from what [`ensure`](Self::ensure) makes, a sentence each.
    pub(crate) fn missing(&self, conf: &Conf) -> Result<Vec<String>, Error> {
        let mut sentences = Vec::new();
        let mut nft = open()?;
        if conf.mac_spoof_check {
            let missing = spoof::missing(&mut nft, self.network, self.port, self.mac.octets());
            sentences.extend(missing.or_code(Code::FIREWALL, "read the check of source MACs")?);
        }
        sentences.extend(self.translation(conf).missing(&mut nft)?);
        Ok(sentences)
    }

    fn translation<'a>(&'a self, conf: &'a Conf) -> Translation<'a> {
        Translation {
            network: self.network,
            port: self.port,
            addresses: self.addresses,
            exempt: conf.masquerade.as_deref(),
            routed: conf.is_gateway,
        }
    }
}

/// Takes away what is the attachment's alone, also what the reference plugin made for it.
pub(crate) fn release(network: &str, attachment: &Attachment) -> Result<(), Error> {
    let mut nft = open()?;
    let spoof = spoof::release(&mut nft, &host_interface(network, attachment));
    let wish = "remove the attachment's firewall rules";
    let translation = translation::release(&mut nft, network, attachment);
    let released = [translation, spoof.or_code(Code::FIREWALL, wish)];
    Error::join(released.into_iter().filter_map(Result::err).collect())
}

/// Takes away what belongs to attachments of `network` other than those of `valid_ports`, and the
/// network's own rules when there is none.
pub(crate) fn collect(network: &str, valid_ports: &[String]) -> Result<(), Error> {
    let mut nft = open()?;
    let translation = translation::collect(&mut nft, network, valid_ports);
    let wish = format!("collect the firewall rules of network {network:?}");
    let spoof = spoof::collect(&mut nft, network, valid_ports).or_code(Code::FIREWALL, wish);
    Error::join(
        [translation, spoof]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    )
}
