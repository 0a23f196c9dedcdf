// SPDX-License-Identifier: Apache-2.0
//! The `CNI_` variables of a call. Runtimes set those that have no value to the empty string, so
//! empty is the same as unset everywhere.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};

use crate::{Attachment, Code, Error};

pub(crate) const COMMAND: &str = "CNI_COMMAND";
pub(crate) const CONTAINER_ID: &str = "CNI_CONTAINERID";
pub(crate) const NETNS: &str = "CNI_NETNS";
pub(crate) const IFNAME: &str = "CNI_IFNAME";
pub(crate) const ARGS: &str = "CNI_ARGS";
pub(crate) const PATH: &str = "CNI_PATH";
/// `1` or `true` allows `CNI_NETNS` to be the plugin's own namespace (an extension of the reference).
pub(crate) const NETNS_OVERRIDE: &str = "CNI_NETNS_OVERRIDE";

const NAMES: [&str; 7] = [
    COMMAND,
    CONTAINER_ID,
    NETNS,
    IFNAME,
    ARGS,
    PATH,
    NETNS_OVERRIDE,
];

/// `IFNAMSIZ` of `linux/if.h`, which counts the terminating zero.
const IFNAMSIZ: usize = 16;

/// The variables that are set and not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment(BTreeMap<&'static str, OsString>);

impl Environment {
    pub(crate) fn of_process() -> Self {
        NAMES
            .into_iter()
            .filter_map(|name| Some((name, env::var_os(name)?)))
            .collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (*name, value.as_os_str()))
    }

    /// Another attachment in this call's place, without its sandbox.
    pub(crate) fn set_attachment(&mut self, attachment: &Attachment) {
        // Empty rather than absent: a child inherits what it is not given.
        self.0.insert(NETNS, OsString::new());
        self.0
            .insert(CONTAINER_ID, (&attachment.container_id).into());
        self.0.insert(IFNAME, (&attachment.ifname).into());
    }

    /// What the call is about. Malformed values are reported before missing ones, and all missing
    /// ones of `required` together.
    pub(crate) fn attachment(&self, required: &[&str]) -> Result<Attachment, Error> {
        let container_id = self.get(CONTAINER_ID).map(container_id).transpose()?;
        let ifname = self.get(IFNAME).map(ifname).transpose()?;
        self.require(required)?;
        Ok(Attachment {
            container_id: container_id.unwrap_or_default(),
            ifname: ifname.unwrap_or_default(),
        })
    }

    pub(crate) fn require(&self, names: &[&str]) -> Result<(), Error> {
        let missing: Vec<_> = names
            .iter()
            .copied()
            .filter(|name| self.get(name).is_none())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let msg = format!("required env variables [{}] missing", missing.join(","));
        Err(Error::new(Code::INVALID_ENVIRONMENT, msg))
    }

    /// The values that `CNI_ARGS` gives the keys in `known`.
    pub(crate) fn args(&self, known: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let text = self.get(ARGS).unwrap_or_default().to_string_lossy();
        let mut args = BTreeMap::new();
        let mut unknown = Vec::new();
        let mut ignore_unknown = false;
        for pair in text.split(';').filter(|_| !text.is_empty()) {
            let (key, value) = match pair.split_once('=') {
                Some((key, value)) if !value.contains('=') => (key, value),
                _ => return Err(invalid_args(format_args!("invalid pair {pair:?}"))),
            };
            if key == "IgnoreUnknown" {
                ignore_unknown = boolean(value).ok_or_else(|| {
                    invalid_args(format_args!(
                        "error parsing value of pair {pair:?}: no boolean"
                    ))
                })?;
            } else if known.contains(&key) {
                args.insert(key.to_owned(), value.to_owned());
            } else {
                unknown.push(format!("{pair:?}"));
            }
        }
        if unknown.is_empty() || ignore_unknown {
            return Ok(args);
        }
        Err(invalid_args(format_args!(
            "unknown args [{}]",
            unknown.join(" ")
        )))
    }

    pub(crate) fn allows_own_netns(&self) -> bool {
        self.get(NETNS_OVERRIDE)
            .and_then(OsStr::to_str)
            .and_then(boolean)
            == Some(true)
    }
}

impl<S: Into<OsString>> FromIterator<(&'static str, S)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'static str, S)>>(variables: I) -> Self {
        let set = variables
            .into_iter()
            .map(|(name, value)| (name, value.into()));
        let mut set: BTreeMap<_, _> = set.collect();
        set.retain(|_, value| !value.is_empty());
        Self(set)
    }
}

/// What the reference plugins take for a boolean in the environment.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn invalid_args(cause: impl std::fmt::Display) -> Error {
    Error::new(Code::INVALID_ENVIRONMENT, format!("CNI_ARGS: {cause}"))
}

/// The form of container IDs and network names: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
pub(crate) fn is_identifier(text: &str) -> bool {
    let within = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.bytes().all(within)
        && text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn container_id(value: &OsStr) -> Result<String, Error> {
    match value.to_str().filter(|text| is_identifier(text)) {
        Some(id) => Ok(id.to_owned()),
        None => Err(Error::new(
            Code::INVALID_ENVIRONMENT,
            "invalid characters in containerID",
        )
        .with_details(value.to_string_lossy())),
    }
}

/// The kernel's rule for names (`dev_valid_name`), with the reference plugins' wording.
fn ifname(value: &OsStr) -> Result<String, Error> {
    let refused = |msg: &str, details: String| {
        Err(Error::new(Code::INVALID_ENVIRONMENT, msg).with_details(details))
    };
    let given = || format!("CNI_IFNAME is {:?}", value.to_string_lossy());
    if value.len() >= IFNAMSIZ {
        let limit = format!("interface name should be less than {IFNAMSIZ} characters");
        let details = format!("{limit}, {}", given());
        return refused("interface name is too long", details);
    }
    match value.to_str() {
        Some("." | "..") => refused("interface name is . or ..", given()),
        Some(name) if name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace()) => {
            refused(
                "interface name contains / or : or whitespace characters",
                given(),
            )
        }
        // The kernel would make `eth0` of `eth%d`.
        Some(name) if name.contains('%') => refused("interface name contains %", given()),
        Some(name) => Ok(name.to_owned()),
        None => refused("interface name is not UTF-8", given()),
    }
}

#[cfg(test)]
mod tests;
