// SPDX-License-Identifier: Apache-2.0
//! The ifb of an attachment. Its name is the one that the reference plugin gives it, so that either
//! plugin finds what the other made. That name says nothing of the interface in the container: for
//! a second interface on the same network there is a second name. Whose an ifb is says its alias.

use attachment::name::{alias, alias_of_network, is_ours};
use cni::{Add, Attachment, Code, Del, Error, Gc, OrCode};
use net::{Kind, Link, LinkChange, Mac, NewIfb, Rtnl, sysctl};
use sha2::{Digest, Sha512};

/// Hexadecimal digits of the hash in a name: with `bwp` 15 bytes, IFNAMSIZ - 1.
const DIGITS: usize = 12;

/// An ifb that was made.
pub(crate) struct Ifb {
    /// Its name.
    pub(crate) name: String,
    /// Its index.
    pub(crate) index: u32,
    /// Its MAC address.
    pub(crate) mac: Mac,
}

/// The names that the ifb of an attachment may have: the reference plugin's, and the one to take
/// when that is taken.
pub(crate) fn names(network: &str, attachment: &Attachment) -> [String; 2] {
    let Attachment {
        container_id,
        ifname,
    } = attachment;
    [
        name(&format!("{network}{container_id}")),
        name(&format!("{network}\0{container_id}\0{ifname}")),
    ]
}

fn name(text: &str) -> String {
    let digest = Sha512::digest(text);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digits = digits
        .take(DIGITS)
        .filter_map(|nibble| char::from_digit(nibble.into(), 16));
    "bwp".chars().chain(digits).collect()
}

/// Makes the ifb, down, by the first name that is free.
pub(crate) fn create(rtnl: &Rtnl, call: &Add, mtu: u32) -> Result<Ifb, Error> {
    let network = &call.network.name;
    let alias = alias(network, &call.attachment);
    let mac = Mac::random().or_code(Code::KERNEL, "choose a MAC address")?;
    let names = names(network, &call.attachment);
    for name in &names {
        let wish = || format!("create the ifb {name:?}");
        match rtnl.link(name).or_code(Code::KERNEL, wish())? {
            // An attachment that is being made has none: this is left of one whose DEL never came.
            Some(link) if is_own(&link, &alias) => remove(rtnl, &link)?,
            Some(_) => continue,
            None => {}
        }
        let new = NewIfb {
            name,
            mac,
            mtu,
            alias: &alias,
        };
        match rtnl.create_ifb(&new) {
            Err(error) if error.is_exists() => {}
            made => {
                let index = made.or_code(Code::KERNEL, wish())?;
                let name = name.clone();
                return Ok(Ifb { name, index, mac });
            }
        }
    }
    let msg = format!("{:?} and {:?} are taken by others", names[0], names[1]);
    Err(Error::new(Code::CONFLICT, msg).with_details("an ifb needs one of these names"))
}

impl Ifb {
    /// Brings it up. It should carry the container's packets alone: none of the host's own, which
    /// IPv6 would send by itself, and where that can't be told the limit holds all the same.
    pub(crate) fn set_up(&self, rtnl: &Rtnl) -> Result<(), net::Error> {
        let ipv6 = format!("net/ipv6/conf/{}/disable_ipv6", self.name);
        sysctl::ensure(&ipv6, "1").unwrap_or_default();
        let change = LinkChange {
            up: Some(true),
            ..LinkChange::default()
        };
        rtnl.change_link(self.index, &change)
    }
}

/// Deletes what is left of an attachment's ifb.
pub(crate) fn delete(rtnl: &Rtnl, call: &Del) -> Result<(), Error> {
    let mut failed = Vec::new();
    for name in names(&call.network.name, &call.attachment) {
        let wish = format_args!("look up {name:?}");
        match rtnl.link(&name).or_code(Code::KERNEL, wish) {
            Ok(Some(link)) if is_of(&link, call) => failed.extend(remove(rtnl, &link).err()),
            Ok(_) => {}
            Err(error) => failed.push(error),
        }
    }
    Error::join(failed)
}

/// An ifb without an alias of ours is the reference plugin's, or what an ADD left that was killed.
/// It is another interface's of this container when the attachment has a result that doesn't name
/// it.
fn is_of(link: &Link, call: &Del) -> bool {
    let marked = link.alias.as_deref().is_some_and(is_ours);
    if link.kind != Kind::Ifb || marked {
        return is_own(link, &alias(&call.network.name, &call.attachment));
    }
    call.prev_result.as_ref().is_none_or(|prev| {
        let mut on_host = prev.interfaces.iter().filter(|it| it.sandbox.is_none());
        on_host.any(|reported| reported.name == link.name)
    })
}

fn is_own(link: &Link, alias: &str) -> bool {
    link.kind == Kind::Ifb && link.alias.as_deref() == Some(alias)
}

/// Deletes the ifbs of this network that no valid attachment owns.
pub(crate) fn collect(rtnl: &Rtnl, call: &Gc) -> Result<(), Error> {
    let network = &call.network.name;
    let valid: Vec<_> = call.valid.iter().map(|it| alias(network, it)).collect();
    let ours = alias_of_network(network);
    let ifbs = rtnl
        .ifbs()
        .or_code(Code::KERNEL, format_args!("collect ifbs of {network:?}"))?;
    let is_stale = |link: &&Link| {
        let mut alias = link.alias.iter();
        alias.any(|alias| alias.starts_with(&ours) && !valid.contains(alias))
    };
    let stale = ifbs.iter().filter(is_stale);
    Error::join(stale.filter_map(|link| remove(rtnl, link).err()).collect())
}

fn remove(rtnl: &Rtnl, link: &Link) -> Result<(), Error> {
    match rtnl.delete_link(link.index) {
        Err(error) if error.is_not_found() => Ok(()),
        deleted => deleted.or_code(Code::KERNEL, format_args!("delete {:?}", link.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_is_the_reference_plugins() {
        let attachment = |ifname: &str| Attachment {
            container_id: "pod".into(),
            ifname: ifname.into(),
        };
        // printf netpod | sha512sum
        let [first, second] = names("net", &attachment("eth0"));
        assert_eq!(first, "bwp6230a40fd8ff");
        assert_eq!(second.len(), 15);
        let [same, other] = names("net", &attachment("net1"));
        assert_eq!(first, same);
        assert_ne!(second, other);
    }
}
