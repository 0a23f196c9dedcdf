// SPDX-License-Identifier: Apache-2.0
//! DEL and GC: pairs are found on the host by name and alias, and only one that the reference
//! plugin made is looked for in its sandbox.

use cni::{Call, Code, Del, Error, Gc, OrCode};
use net::{Kind, Link, Netns, Rtnl};

use crate::name::{alias, alias_of_network, host_interface, is_ours};

/// Deletes the pair by its host interface, which needs no namespace. `made_for` says of the host's
/// end of a pair that has no mark of ours, and that the result does not name, whether it is what
/// the reference plugin makes: a DEL after an ADD that failed because the name was taken must not
/// take what has the name.
///
/// # Errors
/// [`Code::INVALID_NETNS`] when the sandbox can't be opened though it is there, [`Code::KERNEL`].
pub fn delete_pair(
    call: &Del,
    made_for: impl FnOnce(&Rtnl, &Link) -> Result<bool, Error>,
) -> Result<(), Error> {
    let name = host_interface(&call.network.name, &call.attachment);
    let wish = || format!("delete {name:?}");
    let rtnl = Rtnl::open().or_code(Code::KERNEL, wish())?;
    let link = rtnl.link(&name).or_code(Code::KERNEL, wish())?;
    if let Some(link) = link.filter(|link| is_own(link, call)) {
        return delete(&rtnl, &link);
    }
    let Some(path) = &call.netns else {
        return Ok(());
    };
    match Netns::open(path) {
        // A file that is no namespace is what an unmounted one leaves behind.
        Err(error) if error.is_gone() || error.is_not_namespace() => Ok(()),
        opened => {
            let sandbox = opened.or_code(
                Code::INVALID_NETNS,
                format_args!("failed to open netns {path:?}"),
            )?;
            delete_in_sandbox(&rtnl, call, &sandbox, made_for)
        }
    }
}

/// Has the IPAM plugin release the addresses. Asked when the interface is gone, so that nobody else
/// is given them too early.
///
/// # Errors
/// As [`Call::delegate`], and the IPAM plugin's own.
pub fn release_addresses(call: &Del) -> Result<(), Error> {
    match call.network.ipam_type() {
        Some(plugin) => call.delegate(plugin)?.del(),
        None => Ok(()),
    }
}

/// The host interfaces of the valid attachments.
pub fn valid_ports(call: &Gc) -> Vec<String> {
    let valid = call.valid.iter();
    valid
        .map(|attachment| host_interface(&call.network.name, attachment))
        .collect()
}

/// Deletes those of `links` that are host interfaces of the network and not among `valid`. One that
/// stays keeps none of the others.
///
/// # Errors
/// [`Code::KERNEL`].
pub fn collect(rtnl: &Rtnl, network: &str, valid: &[String], links: &[Link]) -> Result<(), Error> {
    let ours = alias_of_network(network);
    let stale = links.iter().filter(|link| {
        let alias = link.alias.as_deref();
        alias.is_some_and(|alias| alias.starts_with(&ours)) && !valid.contains(&link.name)
    });
    Error::join(
        stale
            .filter_map(|link| delete(rtnl, link).err())
            .collect::<Vec<_>>(),
    )
}

/// Has the IPAM plugin collect. Asked when no stale interface has an address any more.
///
/// # Errors
/// As [`release_addresses`].
pub fn collect_addresses(call: &Gc) -> Result<(), Error> {
    match call.network.ipam_type() {
        Some(plugin) => call.delegate(plugin)?.gc(),
        None => Ok(()),
    }
}

fn delete_in_sandbox(
    host: &Rtnl,
    call: &Del,
    sandbox: &Netns,
    made_for: impl FnOnce(&Rtnl, &Link) -> Result<bool, Error>,
) -> Result<(), Error> {
    let ifname = &call.attachment.ifname;
    let wish = || format!("look up {ifname:?} in the sandbox");
    let inside = Rtnl::open_in(sandbox).or_code(Code::KERNEL, wish())?;
    let link = inside.link(ifname).or_code(Code::KERNEL, wish())?;
    let Some(link) = link.filter(|link| link.kind == Kind::Veth) else {
        return Ok(());
    };
    let peer = match link.peer {
        Some(index) => host.link_at(index).or_code(Code::KERNEL, wish())?,
        None => None,
    };
    let is_pair = |peer: &Link| peer.kind == Kind::Veth && peer.peer == Some(link.index);
    let Some(peer) = peer.filter(is_pair) else {
        return Ok(());
    };
    let ours = match peer.alias.as_deref().filter(|found| is_ours(found)) {
        Some(found) => found == alias(&call.network.name, &call.attachment),
        None => is_reported(call, &peer) || made_for(host, &peer)?,
    };
    match ours {
        true => delete(&inside, &link),
        false => Ok(()),
    }
}

/// Whether the link that has the host interface's name is it. One without an alias is what an ADD
/// that was killed left.
fn is_own(link: &Link, call: &Del) -> bool {
    let own = alias(&call.network.name, &call.attachment);
    link.kind == Kind::Veth && link.alias.as_ref().is_none_or(|alias| *alias == own)
}

fn is_reported(call: &Del, port: &Link) -> bool {
    let reported = call.prev_result.iter().flat_map(|prev| &prev.interfaces);
    reported
        .filter(|reported| reported.sandbox.is_none())
        .any(|reported| reported.name == port.name)
}

fn delete(rtnl: &Rtnl, link: &Link) -> Result<(), Error> {
    match rtnl.delete_link(link.index) {
        Err(error) if error.is_not_found() => Ok(()),
        deleted => deleted.or_code(Code::KERNEL, format_args!("delete {:?}", link.name)),
    }
}
