// SPDX-License-Identifier: Apache-2.0
//! Whose a rule or an element is: its comment says so, and DEL and GC need nothing else.

use attachment::name::host_interface;
use cni::Attachment;

/// What the comments of our rules in iptables' tables begin with.
const OURS: &str = "podwire ";

/// An attachment as comments name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The network's name, shortened where it is too long.
    pub(crate) network: String,
    /// What the attachment's host interface is called, or would be.
    pub(crate) name: String,
}

impl Owner {
    /// The attachment of this network.
    pub(crate) fn new(network: &str, attachment: &Attachment) -> Self {
        Self {
            network: nft::label(network),
            name: host_interface(network, attachment),
        }
    }

    /// As comments of elements in our own tables.
    pub(crate) fn comment(&self) -> String {
        format!("{} {}", self.network, self.name)
    }

    /// As comments of rules among those of others.
    pub(crate) fn remark(&self) -> String {
        format!("{OURS}{}", self.comment())
    }

    /// From [`Owner::comment`].
    pub(crate) fn of_comment(comment: &str) -> Option<Self> {
        let (network, name) = comment.rsplit_once(' ')?;
        let [network, name] = [network, name].map(str::to_owned);
        Some(Self { network, name })
    }

    /// From [`Owner::remark`].
    pub(crate) fn of_remark(remark: &str) -> Option<Self> {
        Self::of_comment(remark.strip_prefix(OURS)?)
    }
}

/// The attachments of a network that stay.
#[derive(Debug)]
pub(crate) struct Valid {
    network: String,
    names: Vec<String>,
}

impl Valid {
    /// These attachments of the network.
    pub(crate) fn new(network: &str, attachments: &[Attachment]) -> Self {
        let names = attachments.iter().map(|it| host_interface(network, it));
        Self {
            network: nft::label(network),
            names: names.collect(),
        }
    }

    /// Whether an attachment is one of this network that does not stay.
    pub(crate) fn excludes(&self, owner: &Owner) -> bool {
        owner.network == self.network && !self.names.contains(&owner.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_tell_the_owner() {
        let attachment = Attachment {
            container_id: "pod".to_owned(),
            ifname: "eth0".to_owned(),
        };
        for network in ["pods", &"n".repeat(300)] {
            let owner = Owner::new(network, &attachment);
            assert!(owner.remark().len() < 128, "{}", owner.remark());
            assert_eq!(Owner::of_remark(&owner.remark()).as_ref(), Some(&owner));
            assert!(Valid::new(network, &[]).excludes(&owner));
            assert!(!Valid::new(network, std::slice::from_ref(&attachment)).excludes(&owner));
            assert!(!Valid::new("others", &[]).excludes(&owner));
        }
        for other in ["podwire", "podwire: pods of the overlay", "CNI firewall"] {
            assert!(Owner::of_remark(other).is_none_or(|owner| owner.network != "pods"));
        }
    }
}
