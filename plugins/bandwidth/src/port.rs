// SPDX-License-Identifier: Apache-2.0
//! The host's end of the container's veth pair, by which every packet goes and comes.

use attachment::Ends;
use cni::{Code, Error};
use net::Link;

use crate::conf::{Conf, Limit};

/// `ETH_HLEN`: what a frame is longer than the MTU.
const HEADER: u32 = 14;

/// The host's end, which there must be.
pub(crate) fn of<'a>(ends: &'a Ends<'_>) -> Result<&'a Link, Error> {
    ends.port.as_ref().ok_or_else(|| {
        let name = &ends.container.name;
        let msg =
            format!("cannot limit the bandwidth of {name:?}: it has no veth peer on the host");
        Error::new(Code::INVALID_CONFIG, msg)
            .with_details("only what passes the host's end of a veth pair can be limited")
    })
}

/// The directions whose burst is smaller than a full frame of the link, a sentence each. Such a
/// frame would never pass: connections would be made and then hang.
pub(crate) fn misfits(conf: &Conf, link: &Link) -> Vec<String> {
    let frame = link.mtu.saturating_add(HEADER);
    let sentence = |(key, limit): (&str, Option<Limit>)| {
        let burst = limit?.tbf().burst;
        (burst < frame).then(|| {
            format!(
                "{key} is {burst} bytes, and a full frame of {:?} has {frame} ({} bits): it would \
                 never pass",
                link.name,
                u64::from(frame) * 8
            )
        })
    };
    [("ingressBurst", conf.ingress), ("egressBurst", conf.egress)]
        .into_iter()
        .filter_map(sentence)
        .collect()
}
