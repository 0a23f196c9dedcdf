// SPDX-License-Identifier: Apache-2.0
//! The DNS settings of a `resolv.conf` (resolv.conf(5)), which a result carries to the runtime.

use std::fs;
use std::path::Path;

use cni::{Code, Dns, Error, OrCode as _};

pub(crate) fn read(path: &Path) -> Result<Dns, Error> {
    let wish = || format!("cannot read resolvConf {}", path.display());
    let content = fs::read(path).or_code(Code::IO, wish())?;
    Ok(parse(&String::from_utf8_lossy(&content)))
}

/// Lines with less than two words, comments and unknown keywords say nothing.
fn parse(text: &str) -> Dns {
    let mut dns = Dns::default();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', ';']))
    {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(keyword), Some(first)) = (words.next(), words.next()) else {
            continue;
        };
        match keyword.as_str() {
            "nameserver" => dns.nameservers.push(first),
            "domain" => dns.domain = Some(first),
            "search" => dns.search.extend(std::iter::once(first).chain(words)),
            "options" => dns.options.extend(std::iter::once(first).chain(words)),
            _ => {}
        }
    }
    dns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keywords_are_read_and_the_rest_is_passed_over() {
        let dns = parse(
            "# nameserver 1.1.1.1\n ; comment\n\nnameserver 192.0.2.1\r\nnameserver\n\
             nameserver 2001:db8::1 more\n domain a.example\ndomain b.example\nsearch x y\n\
             search z\noptions ndots:5\noptions edns0 rotate\nsortlist 10.0.0.0\n",
        );
        assert_eq!(dns.nameservers, ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(dns.domain.as_deref(), Some("b.example"));
        assert_eq!(dns.search, ["x", "y", "z"]);
        assert_eq!(dns.options, ["ndots:5", "edns0", "rotate"]);
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let error = read(Path::new("/nowhere/resolv.conf")).unwrap_err();
        assert_eq!(error.code, Code::IO);
        assert!(
            error
                .msg
                .starts_with("cannot read resolvConf /nowhere/resolv.conf: ")
        );
    }
}
