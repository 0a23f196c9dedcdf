// SPDX-License-Identifier: Apache-2.0
//! Port mappings: as runtimes send them, and as pairs of a host's and a container's end.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use cni::{Code, Error};
use ipnetwork::IpNetwork;
use nft::Protocol;
use serde::Deserialize;

/// A member of `runtimeConfig.portMappings`, as sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RawMapping {
    host_port: i64,
    container_port: i64,
    protocol: String,
    #[serde(rename = "hostIP")]
    host_ip: String,
}

/// A protocol with ports, by its number in the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Transport {
    Tcp = 6,
    Udp = 17,
    Sctp = 132,
}

impl Transport {
    const ALL: [Transport; 3] = [Transport::Tcp, Transport::Udp, Transport::Sctp];

    /// The protocol of a number.
    pub(crate) fn of(number: u8) -> Option<Transport> {
        Self::ALL.into_iter().find(|known| *known as u8 == number)
    }

    fn named(name: &str) -> Option<Transport> {
        let known = Self::ALL.into_iter();
        let mut named = known.filter(|known| name.eq_ignore_ascii_case(&known.to_string()));
        named.next()
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Sctp => "sctp",
        })
    }
}

/// The host's addresses that a mapping is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostIp {
    /// All of each family that the container has.
    Unsaid,
    /// All of a family.
    Any(Protocol),
    /// One.
    One(IpAddr),
}

/// A member of `runtimeConfig.portMappings` that makes sense in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    host_ip: HostIp,
    transport: Transport,
    host_port: u16,
    container_port: u16,
}

/// One end of the host, and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The host's end.
    pub(crate) host: HostEnd,
    /// The container's address and port.
    pub(crate) target: SocketAddr,
}

/// What a mapping takes of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostEnd {
    /// The family.
    pub(crate) protocol: Protocol,
    /// The host's address; none for all of the family.
    pub(crate) address: Option<IpAddr>,
    /// The transport protocol.
    pub(crate) transport: Transport,
    /// The port.
    pub(crate) port: u16,
}

impl HostEnd {
    /// Whether some packet is for both.
    pub(crate) fn overlaps(&self, other: &HostEnd) -> bool {
        self.protocol == other.protocol
            && self.transport == other.transport
            && self.port == other.port
            && match (self.address, other.address) {
                (Some(one), Some(another)) => one == another,
                _ => true,
            }
    }
}

impl fmt::Display for HostEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any: IpAddr = match self.protocol {
            Protocol::V4 => [0; 4].into(),
            Protocol::V6 => [0_u16; 8].into(),
        };
        let address = SocketAddr::new(self.address.unwrap_or(any), self.port);
        write!(f, "{address}/{}", self.transport)
    }
}

impl Wish {
    /// What the runtime sent, if it can be.
    pub(crate) fn new(raw: &RawMapping) -> Result<Wish, Error> {
        // The reference's texts, which clients know.
        let container_port = port(raw.container_port, "Invalid container port number")?;
        let host_port = port(raw.host_port, "Invalid host port number")?;
        let transport = match raw.protocol.as_str() {
            "" => Transport::Tcp,
            name => Transport::named(name).ok_or_else(|| {
                invalid(format!(
                    "host port {host_port}: unknown protocol {name:?} (known are tcp, udp and sctp)"
                ))
            })?,
        };
        Ok(Wish {
            host_ip: host_ip(&raw.host_ip, host_port)?,
            transport,
            host_port,
            container_port,
        })
    }

    fn mapping(&self, address: Option<IpAddr>, container: IpAddr) -> Mapping {
        Mapping {
            host: HostEnd {
                protocol: Protocol::of(container),
                address,
                transport: self.transport,
                port: self.host_port,
            },
            target: SocketAddr::new(container, self.container_port),
        }
    }
}

/// What the wishes mean for a container with these addresses, of which the first of each family
/// counts. Refuses what would not work: two mappings of one port, a family that it lacks.
pub(crate) fn resolve(wishes: &[Wish], addresses: &[IpNetwork]) -> Result<Vec<Mapping>, Error> {
    let of_family = |protocol| {
        let mut own = addresses.iter().map(IpNetwork::ip);
        own.find(|address| Protocol::of(*address) == protocol)
    };
    let mut mappings = Vec::new();
    let mut homeless = Vec::new();
    for wish in wishes {
        let (address, families) = match wish.host_ip {
            HostIp::Unsaid => (None, Protocol::ALL.to_vec()),
            HostIp::Any(protocol) => (None, vec![protocol]),
            HostIp::One(address) => (Some(address), vec![Protocol::of(address)]),
        };
        let found: Vec<IpAddr> = families.into_iter().filter_map(of_family).collect();
        if found.is_empty() {
            homeless.push(wish);
        }
        mappings.extend(found.iter().map(|own| wish.mapping(address, *own)));
    }
    for wish in homeless {
        is_served(wish, &mappings)?;
    }
    apart(&mappings)?;
    Ok(mappings)
}

/// Some runtimes ask for `0.0.0.0` and `::` whatever the container has: one of them is enough.
fn is_served(wish: &Wish, mappings: &[Mapping]) -> Result<(), Error> {
    let Wish {
        host_ip, host_port, ..
    } = wish;
    let is_any = matches!(host_ip, HostIp::Any(_));
    let same = |other: &Mapping| {
        let HostEnd {
            transport, port, ..
        } = other.host;
        transport == wish.transport && port == *host_port
    };
    if is_any && mappings.iter().any(same) {
        return Ok(());
    }
    let lack = match host_ip {
        HostIp::Unsaid => "an address".to_owned(),
        HostIp::Any(Protocol::V4) => "an IPv4 address, as hostIP 0.0.0.0 needs".to_owned(),
        HostIp::Any(Protocol::V6) => "an IPv6 address, as hostIP :: needs".to_owned(),
        HostIp::One(address) => format!("an address of the family of hostIP {address}"),
    };
    Err(invalid(format!(
        "host port {host_port} leads nowhere: prevResult does not give the container {lack}"
    )))
}

fn apart(mappings: &[Mapping]) -> Result<(), Error> {
    for (i, mapping) in mappings.iter().enumerate() {
        let rest = &mappings[i + 1..];
        if let Some(other) = rest.iter().find(|other| other.host.overlaps(&mapping.host)) {
            return Err(invalid(format!(
                "portMappings has host port {} twice, as {} and as {}",
                mapping.host.port, mapping.host, other.host
            )));
        }
    }
    Ok(())
}

fn port(number: i64, wish: &str) -> Result<u16, Error> {
    let port = u16::try_from(number).ok().filter(|port| *port != 0);
    port.ok_or_else(|| invalid(format!("{wish}: {number}")))
}

fn host_ip(text: &str, port: u16) -> Result<HostIp, Error> {
    if text.is_empty() {
        return Ok(HostIp::Unsaid);
    }
    let address: IpAddr = text
        .parse()
        .map_err(|_| invalid(format!("host port {port}: invalid hostIP {text:?}")))?;
    Ok(match address.to_canonical() {
        any if any.is_unspecified() => HostIp::Any(Protocol::of(any)),
        // Found out with Linux 6.18: the request gets to the container, its answer is dropped.
        IpAddr::V6(Ipv6Addr::LOCALHOST) => {
            return Err(invalid(format!(
                "host port {port}: hostIP ::1 can't lead to a container, as the kernel takes \
                 answers to ::1 from no other interface than lo"
            )));
        }
        one => HostIp::One(one),
    })
}

fn invalid(sentence: String) -> Error {
    Error::new(Code::INVALID_CONFIG, sentence)
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
