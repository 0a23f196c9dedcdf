// SPDX-License-Identifier: Apache-2.0
//! Sysctls of the sandbox: their names as sysctl(8) takes them, and what of them there is.

use std::collections::BTreeMap;

use cni::{AddResult, Code, Error, OrCode};
use net::sysctl;

use crate::settings::invalid;

/// What stands for CNI_IFNAME in a key.
pub(crate) const IFNAME: &str = "IFNAME";

/// What stands for no single interface below `conf` and `neigh`.
const COMMON: [&str; 2] = ["all", "default"];

/// A sysctl and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sysctl {
    /// The key as the configuration writes it.
    pub(crate) key: String,
    /// The file below `/proc/sys`.
    pub(crate) path: String,
    /// What it is to say.
    pub(crate) value: String,
}

/// Reads keys and values; a key is refused that leads out of `net/`, or to where another one leads.
pub(crate) fn read(
    map: &BTreeMap<String, Option<String>>,
    ifname: &str,
) -> Result<Vec<Sysctl>, Error> {
    let mut sysctls: Vec<Sysctl> = Vec::new();
    for (key, value) in map {
        let Some(value) = value else { continue };
        let path = path(key, ifname)?;
        if let Some(other) = sysctls.iter().find(|other| other.path == path) {
            let msg = format!("sysctl {path} is given twice: {:?} and {key:?}", other.key);
            return Err(invalid(msg));
        }
        sysctls.push(Sysctl {
            key: key.clone(),
            path,
            value: value.clone(),
        });
    }
    Ok(sysctls)
}

/// Both; those of `args` in the place of others. What is set for the whole namespace comes first,
/// since the kernel carries some of it over to the interfaces.
pub(crate) fn together(own: Vec<Sysctl>, args: Vec<Sysctl>) -> Vec<Sysctl> {
    let replaced = |sysctl: &Sysctl| args.iter().any(|it| it.path == sysctl.path);
    let mut all: Vec<_> = own.into_iter().filter(|it| !replaced(it)).collect();
    all.extend(args);
    all.sort_by_cached_key(|sysctl| {
        let name = sysctl.below_conf().unwrap_or_default();
        let common = COMMON.contains(&name);
        (!name.is_empty(), !common, sysctl.path.clone())
    });
    all
}

/// The file of a key. As for sysctl(8), the first separator decides: in `net.ipv4.conf.a/b.mtu`
/// the slash stands for a dot within a name, and in `net/ipv4/conf/a.b/mtu` a dot is one.
fn path(key: &str, ifname: &str) -> Result<String, Error> {
    let dotted = key
        .find(['.', '/'])
        .is_some_and(|at| key[at..].starts_with('.'));
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    let path: String = match dotted {
        true => key.chars().map(swapped).collect(),
        false => key.to_owned(),
    };
    let path = path.replacen(IFNAME, ifname, 1);
    let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
    let climbs = names.iter().any(|name| [".", ".."].contains(name));
    if climbs || names.len() < 2 || names[0] != "net" || path.contains('\0') {
        return Err(invalid(format!("invalid net sysctl key: {key:?}"))
            .with_details("only what is below net belongs to a sandbox alone"));
    }
    Ok(names.join("/"))
}

impl Sysctl {
    /// The name below `conf` or `neigh` of a protocol: `net/ipv4/conf/eth0/forwarding`.
    fn below_conf(&self) -> Option<&str> {
        let names: Vec<_> = self.path.split('/').collect();
        match names[..] {
            [_, _, "conf" | "neigh", name, _, ..] => Some(name),
            _ => None,
        }
    }

    /// The single interface that it is of.
    fn interface(&self) -> Option<&str> {
        self.below_conf().filter(|name| !COMMON.contains(name))
    }

    /// What it says now; `None` where it can be written, but not be read.
    pub(crate) fn read(&self) -> Result<Option<String>, Error> {
        let path = &self.path;
        match sysctl::read(path) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() || error.is_gone() => Err(self.missing()),
            Err(_) if sysctl::is_writable(path) => Ok(None),
            Err(error) => Err(error).or_code(Code::KERNEL, "look at the sandbox"),
        }
    }

    fn missing(&self) -> Error {
        let path = &self.path;
        let has = |name: &&str| sysctl::exists(&format!("net/ipv4/conf/{name}"));
        match self.interface().filter(|name| !has(name)) {
            Some(name) => invalid(format!(
                "cannot set sysctl {path}: the sandbox has no interface {name:?}"
            )),
            None => invalid(format!(
                "cannot set sysctl {path}: the sandbox has none such"
            )),
        }
    }

    /// Gives it its value; `before` is what it says now, as far as that can be read.
    pub(crate) fn set(&self, before: Option<&str>) -> Result<(), Error> {
        let set = match before {
            Some(_) => sysctl::ensure(&self.path, &self.value),
            None => sysctl::write(&self.path, &self.value),
        };
        set.or_code(Code::KERNEL, "tune the sandbox")
    }
}

/// Refuses sysctls of interfaces that are not this attachment's: neither CNI_IFNAME nor one that
/// the plugins before have made in the sandbox. `lo` is everybody's.
pub(crate) fn refuse_others(
    sysctls: &[Sysctl],
    ifname: &str,
    prev: &AddResult,
) -> Result<(), Error> {
    let made = |name: &str| {
        let mut interfaces = prev.interfaces.iter();
        interfaces.any(|it| it.sandbox.is_some() && it.name == name)
    };
    let own = |name: &&str| [ifname, "lo"].contains(name) || made(name);
    for sysctl in sysctls {
        if let Some(name) = sysctl.interface().filter(|name| !own(name)) {
            let msg = format!(
                "sysctl {} is of interface {name:?}, which is none of this attachment's",
                sysctl.path
            );
            let details = format!("IFNAME in a key stands for the attachment's, now {ifname:?}");
            return Err(invalid(msg).with_details(details));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "sysctls_tests.rs"]
mod tests;
