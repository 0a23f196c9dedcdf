// SPDX-License-Identifier: Apache-2.0
//! CHECK: the attachment has the addresses of the configuration.

use cni::{Code, Error, Ip};

use crate::addresses::Address;

/// Compares with a result, in which other plugins may have put addresses of theirs. A gateway that
/// the configuration does not name is the affair of the plugin that calls this one.
pub(crate) fn compare(addresses: &[Address], found: &[Ip]) -> Result<(), Error> {
    let differences = addresses.iter().filter_map(|wanted| {
        let ip = wanted.network.ip();
        let same = || found.iter().filter(|it| it.address.ip() == ip);
        match wanted.gateway {
            _ if same().next().is_none() => Some(format!("prevResult lacks the address {ip}")),
            Some(gateway) if same().all(|it| it.gateway != Some(gateway)) => Some(format!(
                "prevResult has the address {ip} without its gateway {gateway}"
            )),
            _ => None,
        }
    });
    let sentences: Vec<_> = differences.collect();
    if sentences.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::CHECK_FAILED, sentences.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(address: &str, gateway: Option<&str>) -> Ip {
        Ip {
            address: address.parse().unwrap(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            interface: None,
        }
    }

    #[test]
    fn differences_are_found_and_all_of_them() {
        let address = |text: &str| Address::parse(text).unwrap();
        let gateway = Some("10.1.2.1".parse().unwrap());
        let wanted = [
            address("10.1.2.3/24").with_gateway(gateway),
            address("fd00::9/64"),
        ];
        let right = [
            ip("10.1.2.3/24", Some("10.1.2.1")),
            ip("fd00::9/64", Some("fd00::1")),
            ip("192.0.2.1/24", None),
        ];
        assert_eq!(compare(&wanted, &right), Ok(()));
        let error = compare(&wanted, &[ip("10.1.2.3/24", None)]).unwrap_err();
        assert_eq!(error.code, Code::CHECK_FAILED);
        assert_eq!(
            error.msg,
            "prevResult has the address 10.1.2.3 without its gateway 10.1.2.1; \
             prevResult lacks the address fd00::9"
        );
    }
}
