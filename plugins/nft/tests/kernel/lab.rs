// SPDX-License-Identifier: Apache-2.0
//! Namespaces, the links between them, and what a server sees of a client.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use ipnetwork::IpNetwork;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use nft::{Family, Nft, Table};
use nix::sched::{CloneFlags, setns, unshare};

/// A node asks for no IPv6 neighbour before its own link-local address is known to be unique, and a
/// bridge port does not forward at once: what is to arrive may take one to two seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Puts the calling test's thread into a namespace of its own, and connects to its nf_tables.
pub(crate) fn isolated() -> Nft {
    unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
    Nft::open().expect("nf_tables")
}

pub(crate) fn networks<const N: usize>(texts: [&str; N]) -> [IpNetwork; N] {
    texts.map(|text| text.parse().expect("a network"))
}

pub(crate) const INET: Table<'static> = Table {
    family: Family::Inet,
    name: "podwire",
};

/// The comments of a chain's rules, `-` where a rule has none.
pub(crate) fn comments(nft: &mut Nft, chain: &str) -> Vec<String> {
    let rules = nft.rules(INET, Some(chain)).expect("the rules");
    rules
        .into_iter()
        .map(|rule| rule.comment.unwrap_or_else(|| "-".to_owned()))
        .collect()
}

/// A network namespace that lives as long as the value and its sockets.
#[derive(Debug)]
pub(crate) struct Ns(File);

impl Ns {
    pub(crate) fn new() -> Ns {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace");
            File::open("/proc/thread-self/ns/net").expect("the namespace's file")
        };
        let ns = Ns(std::thread::spawn(make).join().expect("a thread"));
        ns.run(|| change_link("lo", None));
        ns
    }

    /// Runs a closure inside, on a thread of its own.
    pub(crate) fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let enter = || {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("to enter the namespace");
                inside()
            };
            scope.spawn(enter).join().expect("what runs inside")
        })
    }

    pub(crate) fn nft(&self) -> Nft {
        self.run(|| Nft::open().expect("nf_tables"))
    }

    /// `ip link add NAME type veth peer name PEER netns OTHER`, both up.
    pub(crate) fn connect(&self, name: &str, other: &Ns, peer: &str) {
        let mut far = LinkMessage::default();
        far.attributes.push(LinkAttribute::IfName(peer.to_owned()));
        far.attributes
            .push(LinkAttribute::NetNsFd(other.0.as_raw_fd()));
        let mut link = new_link(name, InfoKind::Veth);
        if let Some(LinkAttribute::LinkInfo(kind)) = link.attributes.last_mut() {
            kind.push(LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))));
        }
        self.run(|| {
            request(RouteNetlinkMessage::NewLink(link));
            change_link(name, None);
        });
        other.run(|| change_link(peer, None));
    }

    /// `ip link add NAME type bridge`, with its ports.
    pub(crate) fn bridge(&self, name: &str, ports: &[&str]) {
        self.run(|| {
            request(RouteNetlinkMessage::NewLink(new_link(
                name,
                InfoKind::Bridge,
            )));
            change_link(name, None);
            for port in ports {
                change_link(port, Some(LinkAttribute::Controller(index(name))));
            }
        });
    }

    /// `ip link set NAME address MAC`
    pub(crate) fn set_mac(&self, name: &str, mac: [u8; 6]) {
        self.run(|| change_link(name, Some(LinkAttribute::Address(mac.to_vec()))));
    }

    /// `ip address add ADDRESS dev NAME nodad`
    pub(crate) fn address(&self, name: &str, address: &str) {
        let network: IpNetwork = address.parse().expect("an address with a prefix");
        let mut message = AddressMessage::default();
        message.header.family = family(network.ip());
        message.header.prefix_len = network.prefix();
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![
            AddressAttribute::Local(network.ip()),
            AddressAttribute::Address(network.ip()),
        ];
        self.run(|| {
            message.header.index = index(name);
            request(RouteNetlinkMessage::NewAddress(message));
        });
    }

    /// `ip route add DESTINATION via GATEWAY`
    pub(crate) fn route(&self, destination: &str, gateway: &str) {
        let network: IpNetwork = destination.parse().expect("a destination");
        let gateway: IpAddr = gateway.parse().expect("a gateway");
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(gateway),
            destination_prefix_length: network.prefix(),
            table: RouteHeader::RT_TABLE_MAIN,
            protocol: RouteProtocol::Static,
            scope: RouteScope::Universe,
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        message.attributes = vec![
            RouteAttribute::Destination(network.ip().into()),
            RouteAttribute::Gateway(gateway.into()),
        ];
        self.run(|| request(RouteNetlinkMessage::NewRoute(message)));
    }

    pub(crate) fn forward(&self) {
        self.run(|| {
            for path in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                std::fs::write(format!("/proc/sys/net/{path}"), "1").expect("to forward");
            }
        });
    }

    /// A socket at an address, with a port that is free.
    pub(crate) fn socket(&self, address: &str) -> UdpSocket {
        let address: IpAddr = address.parse().expect("an address");
        let socket = self.run(|| UdpSocket::bind((address, 0)).expect("a socket"));
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        socket
    }

    /// Sends a datagram from one of this namespace's addresses: the source that the server sees,
    /// or `None` if nothing arrives in a time in which it would.
    pub(crate) fn seen_by(&self, from: &str, server: &UdpSocket) -> Option<SocketAddr> {
        self.seen_within(PATIENCE, from, server)
    }

    /// The same with a short limit, for what is not to arrive.
    pub(crate) fn reaches(&self, from: &str, server: &UdpSocket) -> bool {
        let limit = Duration::from_millis(500);
        self.seen_within(limit, from, server).is_some()
    }

    fn seen_within(&self, limit: Duration, from: &str, server: &UdpSocket) -> Option<SocketAddr> {
        let to = server.local_addr().expect("the server's address");
        server.set_read_timeout(Some(limit)).expect("a limit");
        self.socket(from).send_to(b"who am I", to).expect("to send");
        let received = server.recv_from(&mut [0; 16]).ok()?;
        Some(received.1)
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

fn index(name: &str) -> u32 {
    nix::net::if_::if_nametoindex(name).expect("the link")
}

fn new_link(name: &str, kind: InfoKind) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    link.attributes
        .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
    link
}

/// Brings a link up, and changes one attribute.
fn change_link(name: &str, attribute: Option<LinkAttribute>) {
    let mut link = LinkMessage::default();
    link.header.index = index(name);
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link.attributes.extend(attribute);
    request(RouteNetlinkMessage::SetLink(link));
}

/// One request to rtnetlink of the calling thread's namespace.
fn request(message: RouteNetlinkMessage) {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut buffer = vec![0; message.buffer_len()];
    message.serialize(&mut buffer);
    let socket = Socket::new(NETLINK_ROUTE).expect("rtnetlink");
    socket.send(&buffer, 0).expect("to send a request");
    let (answer, _) = socket.recv_from_full().expect("an answer");
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).expect("an answer");
    let NetlinkPayload::Error(outcome) = answer.payload else {
        panic!("not an answer")
    };
    assert_eq!(outcome.code, None, "{message:?}");
}
