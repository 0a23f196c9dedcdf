// SPDX-License-Identifier: Apache-2.0
//! GC: what attachments of this network have that are not valid, and the chains that nobody uses.

use cni::{Code, Error, Gc, OrCode};

use crate::add::open;
use crate::owner::Valid;
use crate::{conf, firewalld, forward, ingress};

/// Collects; a failure keeps nothing else from being collected, and all failures are reported.
pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    let network = &call.network.name;
    let valid = Valid::new(network, &call.valid);
    let admin_chain = conf::admin_chain_of(&call.network);
    let mut nft = open()?;
    let wish = format!("collect the firewall rules of network {network:?}");
    let collected = [
        forward::collect(&mut nft, &valid, &admin_chain),
        ingress::collect(&mut nft, &valid),
    ];
    let collected = collected.map(|it| it.or_code(Code::FIREWALL, &wish));
    let of_firewalld = firewalld::collect(&mut nft, &valid);
    let failed = collected.into_iter().chain([of_firewalld]);
    Error::join(failed.filter_map(Result::err).collect())
}
