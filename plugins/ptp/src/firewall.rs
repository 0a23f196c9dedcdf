// SPDX-License-Identifier: Apache-2.0
//! What the attachment needs of nf_tables.

use attachment::Translation;
use attachment::translation::{self, open};
use cni::{Attachment, Error};
use ipnetwork::IpNetwork;

use crate::conf::Conf;

/// Makes what is missing of the rules for the attachment with host interface `port`.
pub(crate) fn ensure(
    conf: &Conf,
    network: &str,
    port: &str,
    addresses: &[IpNetwork],
) -> Result<(), Error> {
    translation(conf, network, port, addresses).ensure(&mut open()?)
}

/// What differs from what [`ensure`] makes, a sentence each.
pub(crate) fn missing(
    conf: &Conf,
    network: &str,
    port: &str,
    addresses: &[IpNetwork],
) -> Result<Vec<String>, Error> {
    translation(conf, network, port, addresses).missing(&mut open()?)
}

fn translation<'a>(
    conf: &'a Conf,
    network: &'a str,
    port: &'a str,
    addresses: &'a [IpNetwork],
) -> Translation<'a> {
    Translation {
        network,
        port,
        addresses,
        exempt: conf.masquerade.as_deref(),
        routed: true,
    }
}

/// Takes away what is the attachment's alone, also what the reference plugin made for it.
pub(crate) fn release(network: &str, attachment: &Attachment) -> Result<(), Error> {
    translation::release(&mut open()?, network, attachment)
}

/// Takes away what belongs to attachments of `network` other than those of `valid_ports`, and the
/// network's own rules when there is none.
pub(crate) fn collect(network: &str, valid_ports: &[String]) -> Result<(), Error> {
    translation::collect(&mut open()?, network, valid_ports)
}
