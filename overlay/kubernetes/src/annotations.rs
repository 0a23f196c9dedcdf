// SPDX-License-Identifier: Apache-2.0
//! The annotations of a Node that say where its VXLAN devices are, as flannel writes and reads
//! them: the two may be neighbours in one cluster, and each other's successors on one node.

mod own;
mod prefix;
mod written;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};
use topology::{Family, Fault, Mac, Underlay};

pub use own::OwnAnnotations;
pub use prefix::{NotAPrefix, Prefix};
pub use written::written;

/// A Node's annotations.
pub type Annotations = BTreeMap<String, String>;

const MEMBER: &str = "kube-subnet-manager";
const BACKEND_TYPE: &str = "backend-type";
const VXLAN: &str = "vxlan";

/// What a node says of its VTEPs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Where the node takes encapsulated packets.
    pub underlay: Underlay,
    /// The MAC address of its VTEP over IPv4.
    pub mac: Option<Mac>,
    /// The MAC address of its VTEP over IPv6.
    pub mac_v6: Option<Mac>,
}

impl Announced {
    /// The MAC address of the VTEP of this family.
    #[must_use]
    pub const fn mac(&self, family: Family) -> Option<Mac> {
        match family {
            Family::V4 => self.mac,
            Family::V6 => self.mac_v6,
        }
    }
}

/// What a Node's annotations say of its VTEPs; none when it is not a member of the overlay. The
/// VNI is not asked for: every node uses its own, and nodes made by hand have none.
///
/// # Errors
/// When the node is a member, and an annotation is not what flannel's VXLAN backend would write.
pub fn read(annotations: &Annotations, prefix: &Prefix) -> Result<Option<Announced>, Fault> {
    let reader = Reader {
        annotations,
        prefix,
    };
    if reader.text(MEMBER) != Some("true") {
        return Ok(None);
    }
    match reader.text(BACKEND_TYPE) {
        Some(VXLAN) => {}
        Some(other) => {
            let why = format!("{} is another backend type than vxlan", quoted(other));
            return Err(reader.fault(BACKEND_TYPE, why));
        }
        None => return Err(reader.fault(BACKEND_TYPE, "it is missing".to_owned())),
    }
    Ok(Some(Announced {
        underlay: Underlay {
            v4: reader.v4(address_name(Family::V4))?,
            v6: reader.v6(address_name(Family::V6))?,
        },
        mac: reader.peer_mac(Family::V4)?,
        mac_v6: reader.peer_mac(Family::V6)?,
    }))
}

/// The annotation with the address of a family's VTEP.
const fn address_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "public-ip",
        Family::V6 => "public-ipv6",
    }
}

/// The annotation with the MAC address of a family's VTEP.
const fn data_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "backend-data",
        Family::V6 => "backend-v6-data",
    }
}

struct Reader<'a> {
    annotations: &'a Annotations,
    prefix: &'a Prefix,
}

impl<'a> Reader<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.annotations
            .get(&self.prefix.key(name))
            .map(String::as_str)
    }

    fn fault(&self, name: &str, why: String) -> Fault {
        Fault::Unreadable {
            what: format!("annotation {}", self.prefix.key(name)),
            why,
        }
    }

    fn v4(&self, name: &str) -> Result<Option<Ipv4Addr>, Fault> {
        match self.address(name)? {
            Some(IpAddr::V6(v6)) => Err(self.fault(name, format!("{v6} is not an IPv4 address"))),
            Some(IpAddr::V4(v4)) => Ok(Some(v4)),
            None => Ok(None),
        }
    }

    fn v6(&self, name: &str) -> Result<Option<Ipv6Addr>, Fault> {
        match self.address(name)? {
            Some(IpAddr::V4(v4)) => Err(self.fault(name, format!("{v4} is not an IPv6 address"))),
            Some(IpAddr::V6(v6)) => Ok(Some(v6)),
            None => Ok(None),
        }
    }

    fn address(&self, name: &str) -> Result<Option<IpAddr>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let address = text.parse().map(|address: IpAddr| address.to_canonical());
        let refused = |_| self.fault(name, format!("{} is not an IP address", quoted(text)));
        address.map(Some).map_err(refused)
    }

    /// The MAC address of a family that has an address; without one it can only be there in vain.
    fn peer_mac(&self, family: Family) -> Result<Option<Mac>, Fault> {
        let (name, address) = (data_name(family), address_name(family));
        match self.mac(name)? {
            None if self.text(address).is_some() => {
                Err(self.fault(name, "it is missing".to_owned()))
            }
            mac => Ok(mac),
        }
    }

    fn mac(&self, name: &str) -> Result<Option<Mac>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let mac = mac_of(text).map(Some);
        mac.map_err(|why| self.fault(name, why))
    }
}

/// The MAC address in backend data, by the rules of Go's decoder: keys in any case, the last of
/// several counts, unknown ones are ignored.
fn mac_of(json: &str) -> Result<Mac, String> {
    let object: Map<String, Value> = serde_json::from_str(json)
        .map_err(|error| format!("{} is not the JSON of an object: {error}", quoted(json)))?;
    let keys = object.iter().rev();
    let mut macs = keys.filter(|(key, _)| key.eq_ignore_ascii_case("VtepMAC"));
    match macs.next() {
        Some((_, Value::String(text))) => mac(text),
        Some((_, other)) => Err(format!(
            "its VtepMAC {} is not a text",
            quoted(&other.to_string())
        )),
        None => Err("it has no VtepMAC".to_owned()),
    }
}

/// A MAC address with colons, or with hyphens, which Go's parser takes, too.
fn mac(text: &str) -> Result<Mac, String> {
    let mac = text.replace('-', ":").parse();
    mac.map_err(|_| format!("its VtepMAC {} is not a MAC address", quoted(text)))
}

/// What a message says of a text that anybody may have written: quoted, and not all of it.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{start:?}...")
}

#[cfg(test)]
mod tests;
