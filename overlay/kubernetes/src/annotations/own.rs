// SPDX-License-Identifier: Apache-2.0
//! What a node reads from its own Node: what it published the last time, and what the operator
//! wants of it.

use topology::{Family, Fault, Mac, Underlay};

use super::{Annotations, Announced, BACKEND_TYPE, Prefix, Reader, VXLAN, address_name, data_name};

/// The annotations of the own Node, each for itself: a malformed one is a fault that is said, and
/// counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnAnnotations {
    /// What backend the node was last part of: `backend-type`.
    pub backend_type: Option<String>,
    /// What the node says of its VTEPs: `public-ip`, `backend-data`, and so for IPv6.
    pub announced: Announced,
    /// What the operator wants to be published in place of the node's addresses:
    /// `public-ip-overwrite`, `public-ipv6-overwrite`.
    pub overwrite: Underlay,
    /// Which of its addresses the operator wants the node to use: `node-public-ip`,
    /// `node-public-ipv6`.
    pub node_public_ip: Underlay,
    /// What of them cannot be read.
    pub faults: Vec<Fault>,
}

impl OwnAnnotations {
    /// Reads them.
    #[must_use]
    pub fn read(annotations: &Annotations, prefix: &Prefix) -> Self {
        let reader = Reader {
            annotations,
            prefix,
        };
        let mut faults = Vec::new();
        let announced = Announced {
            underlay: Underlay {
                v4: sound(reader.v4(address_name(Family::V4)), &mut faults),
                v6: sound(reader.v6(address_name(Family::V6)), &mut faults),
            },
            mac: reader.own_mac(Family::V4, &mut faults),
            mac_v6: reader.own_mac(Family::V6, &mut faults),
        };
        Self {
            backend_type: reader.text(BACKEND_TYPE).map(str::to_owned),
            announced,
            overwrite: reader.wish(
                ["public-ip-overwrite", "public-ipv6-overwrite"],
                &mut faults,
            ),
            node_public_ip: reader.wish(["node-public-ip", "node-public-ipv6"], &mut faults),
            faults,
        }
    }
}

impl Reader<'_> {
    /// The MAC address that the node has published, unless no device can have it. Another backend's
    /// data has none, and that is no fault.
    fn own_mac(&self, family: Family, faults: &mut Vec<Fault>) -> Option<Mac> {
        let mac = self.mac(data_name(family)).and_then(|mac| match mac {
            Some(mac) if !mac.is_unicast() => Err(Fault::MacNotUnicast { family, mac }),
            mac => Ok(mac),
        });
        if self.text(BACKEND_TYPE) == Some(VXLAN) {
            return sound(mac, faults);
        }
        mac.ok().flatten()
    }

    /// The addresses of both families that an operator gives by two annotations. As for flannel an
    /// empty one says nothing.
    fn wish(&self, [v4, v6]: [&str; 2], faults: &mut Vec<Fault>) -> Underlay {
        let given = |name| self.text(name).is_some_and(|text| !text.is_empty());
        Underlay {
            v4: given(v4).then(|| sound(self.v4(v4), faults)).flatten(),
            v6: given(v6).then(|| sound(self.v6(v6), faults)).flatten(),
        }
    }
}

fn sound<T>(read: Result<Option<T>, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    read.unwrap_or_else(|fault| {
        faults.push(fault);
        None
    })
}
