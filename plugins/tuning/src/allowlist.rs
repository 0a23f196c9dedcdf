// SPDX-License-Identifier: Apache-2.0
//! The node's own word on sysctls: a file of regular expressions, one on a line, of which one must
//! be found in each key as the configuration writes it. Without the file all are allowed; by an
//! empty one, none.

use std::fs;
use std::io::ErrorKind;

use cni::{Code, Error, OrCode};
use regex_lite::Regex;

use crate::settings::invalid;
use crate::sysctls::Sysctl;

const FILE: &str = "/etc/cni/tuning/allowlist.conf";

/// Refuses sysctls that the node does not allow.
pub(crate) fn check(sysctls: &[Sysctl]) -> Result<(), Error> {
    if sysctls.is_empty() {
        return Ok(());
    }
    match fs::read_to_string(FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        text => {
            let text = text.or_code(Code::IO, format_args!("cannot read {FILE}"))?;
            let keys = sysctls.iter().map(|sysctl| &*sysctl.key);
            hold(&text, keys)
        }
    }
}

fn hold<'a>(text: &str, keys: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.collect();
    for key in keys {
        if !is_allowed(&lines, key)? {
            let msg = format!(
                "Sysctl {key} is not allowed. Only the following sysctls are allowed: [{}]",
                lines.join(" ")
            );
            return Err(invalid(msg).with_details(format!("{FILE} says so")));
        }
    }
    Ok(())
}

/// A line behind the one that allows a key is not looked at, so one that is malformed bothers only
/// those that it might concern.
fn is_allowed(lines: &[&str], key: &str) -> Result<bool, Error> {
    for line in lines {
        let wish = format_args!("{FILE}: {line:?} is no regular expression");
        if Regex::new(line)
            .or_code(Code::INVALID_CONFIG, wish)?
            .is_match(key)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_allowed_by_any_line_and_any_part_of_it() {
        let text = "\n  ^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$  \n\nsomaxconn\n";
        for (key, allowed) in [
            ("net.ipv4.conf.IFNAME.arp_filter", true),
            ("net.ipv4.conf.eth0.arp_filter", false),
            ("net.ipv4.conf.IFNAME.arp-filter", false),
            ("net/core/somaxconn", true),
        ] {
            assert_eq!(hold(text, [key].into_iter()).is_ok(), allowed, "{key}");
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let error = hold(" \n", ["net.core.somaxconn"].into_iter()).unwrap_err();
        assert_eq!(
            error.msg,
            "Sysctl net.core.somaxconn is not allowed. Only the following sysctls are allowed: []"
        );
    }

    #[test]
    fn a_line_that_is_no_expression_is_an_error_for_those_it_might_concern() {
        let text = "^net\\.core\\.\n[a-\n";
        assert_eq!(hold(text, ["net.core.somaxconn"].into_iter()), Ok(()));
        let error = hold(text, ["net.ipv4.ip_forward"].into_iter()).unwrap_err();
        assert!(
            error.msg.contains("\"[a-\" is no regular expression"),
            "{error}"
        );
    }
}
