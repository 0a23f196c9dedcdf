// SPDX-License-Identifier: Apache-2.0
//! DEL and GC: the mappings of an attachment, or of those that are no more. The table itself says
//! whose a mapping is, so neither configuration nor prevResult nor sandbox is asked.

use cni::{Code, Del, Error, Gc, OrCode};
use nft::Nft;

use crate::{flows, holder, reference, table};

/// Takes the attachment's mappings away, also those that the reference plugin made.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let network = &call.network.name;
    let own = holder::of(network, &call.attachment);
    let Some(mut nft) = open()? else {
        return Ok(());
    };
    let removed = remove(&mut nft, network, |holder| holder == own);
    let left = reference::remove(&mut nft, network, &call.attachment.container_id);
    let left = left.or_code(Code::FIREWALL, "remove what the Go plugin made");
    Error::join(
        [removed, left]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    )
}

/// Takes the mappings of this network away that no valid attachment has.
pub(crate) fn gc(call: &Gc) -> Result<(), Error> {
    let network = &call.network.name;
    let valid = call.valid.iter();
    let valid: Vec<String> = valid.map(|it| holder::of(network, it)).collect();
    match open()? {
        Some(mut nft) => remove(&mut nft, network, |holder| {
            !valid.iter().any(|valid| valid == holder)
        }),
        None => Ok(()),
    }
}

/// Without nf_tables in the kernel there is nothing to take away.
fn open() -> Result<Option<Nft>, Error> {
    match Nft::open() {
        Err(error) if error.is_unsupported() => Ok(None),
        opened => opened
            .map(Some)
            .or_code(Code::FIREWALL, "talk to nf_tables"),
    }
}

fn remove(nft: &mut Nft, network: &str, stale: impl Fn(&str) -> bool) -> Result<(), Error> {
    let wish = format!("remove port mappings of network {network:?}");
    let removed =
        table::remove(nft, &holder::label(network), stale).or_code(Code::FIREWALL, wish)?;
    flows::forget_after(nft, &removed)
}
