// SPDX-License-Identifier: Apache-2.0
//! DEL: whatever is left of the attachment, with whatever input is left. The configuration's own
//! keys are not read: one that no longer validates is no obstacle.

use cni::{Call, Code, Del, Error, OrCode};
use net::{Kind, Link, Netns, Rtnl};

use crate::conf::bridge_of;
use crate::firewall;
use attachment::name::{alias, host_interface, is_ours};

/// Takes the attachment away. The address is released only when its interface is gone, so that
/// nobody else is given it too early.
pub(crate) fn del(call: &Del) -> Result<(), Error> {
    let link = delete_link(call);
    let ipam = match &link {
        Ok(()) => release_addresses(call),
        Err(_) => Ok(()),
    };
    let rules = firewall::release(&call.network.name, &call.attachment);
    Error::join(
        [link, ipam, rules]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    )
}

fn release_addresses(call: &Del) -> Result<(), Error> {
    match call.network.ipam_type() {
        Some(plugin) => call.delegate(plugin)?.del(),
        None => Ok(()),
    }
}

/// Deletes the pair by its host interface, which needs no namespace. Only a pair that the
/// reference plugin made has to be looked for in the sandbox.
fn delete_link(call: &Del) -> Result<(), Error> {
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
            delete_in_sandbox(&rtnl, call, &sandbox)
        }
    }
}

fn delete_in_sandbox(host: &Rtnl, call: &Del, sandbox: &Netns) -> Result<(), Error> {
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
    match peer.filter(is_pair) {
        Some(peer) if made_for(host, &peer, call)? => delete(&inside, &link),
        _ => Ok(()),
    }
}

/// Whether the link that has the host interface's name is it. One without an alias is what an ADD
/// that was killed left.
fn is_own(link: &Link, call: &Del) -> bool {
    let own = alias(&call.network.name, &call.attachment);
    link.kind == Kind::Veth && link.alias.as_ref().is_none_or(|alias| *alias == own)
}

/// Whether a pair of another name was made for this attachment: it is no other's of ours, and
/// prevResult names it or it leads to the network's bridge. A DEL after an ADD that failed because
/// the name was taken must not take what has the name.
fn made_for(host: &Rtnl, port: &Link, call: &Del) -> Result<bool, Error> {
    if let Some(found) = port.alias.as_deref().filter(|found| is_ours(found)) {
        return Ok(found == alias(&call.network.name, &call.attachment));
    }
    let reported = call.prev_result.iter().flat_map(|prev| &prev.interfaces);
    if reported
        .filter(|reported| reported.sandbox.is_none())
        .any(|reported| reported.name == port.name)
    {
        return Ok(true);
    }
    let Ok(name) = bridge_of(&call.network) else {
        return Ok(false);
    };
    let wish = || format!("look up bridge {name:?}");
    let bridge = host.link(&name).or_code(Code::KERNEL, wish())?;
    Ok(bridge.is_some_and(|bridge| port.master == Some(bridge.index)))
}

fn delete(rtnl: &Rtnl, link: &Link) -> Result<(), Error> {
    match rtnl.delete_link(link.index) {
        Err(error) if error.is_not_found() => Ok(()),
        deleted => deleted.or_code(Code::KERNEL, format_args!("delete {:?}", link.name)),
    }
}
