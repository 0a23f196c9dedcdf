// SPDX-License-Identifier: Apache-2.0
//! What connection tracking knows of a place's flows: who talks to whom, and as whom.

use std::net::IpAddr;

use crate::place::Place;

/// One tracked flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The protocol's name: `tcp`, `udp`, `icmp`, `icmpv6`.
    pub protocol: String,
    /// Source of the first packet.
    pub source: IpAddr,
    /// Destination of the first packet.
    pub destination: IpAddr,
    /// Source of the answers; another than `destination` when that was translated.
    pub reply_source: IpAddr,
    /// Destination of the answers; another than `source` when that was translated.
    pub reply_destination: IpAddr,
}

impl Flow {
    /// Whether any address of the flow is translated.
    pub fn is_translated(&self) -> bool {
        self.reply_source != self.destination || self.reply_destination != self.source
    }
}

/// The flows that a place's kernel tracks, both families; the same as `conntrack -L`.
///
/// # Panics
/// When `conntrack` is not installed; `make test` installs it.
pub fn flows(place: &Place) -> Vec<Flow> {
    let families =
        ["ipv4", "ipv6"].map(|family| place.tool("conntrack", &format!("-L -f {family}")));
    families
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(flow)
        .collect()
}

/// `icmp 1 29 src=10.1.0.2 dst=192.0.2.1 type=8 ... src=192.0.2.1 dst=192.0.2.2 type=0 ...`
fn flow(line: &str) -> Option<Flow> {
    let protocol = line.split_whitespace().next()?.to_owned();
    let value = |key: &str| {
        let key = format!("{key}=");
        let values = line
            .split_whitespace()
            .filter_map(|word| word.strip_prefix(&*key)?.parse().ok());
        values.collect::<Vec<IpAddr>>()
    };
    let (sources, destinations) = (value("src"), value("dst"));
    Some(Flow {
        protocol,
        source: *sources.first()?,
        destination: *destinations.first()?,
        reply_source: *sources.get(1)?,
        reply_destination: *destinations.get(1)?,
    })
}
