// SPDX-License-Identifier: Apache-2.0
//! Ethernet addresses. Every link that the suite makes gets an explicit one, so
//! that neither udev nor the kernel's "lowest port" rule changes it later.

use std::fmt;
use std::str::FromStr;

use nix::errno::Errno;

use crate::Error;
use crate::error::Cause;

/// An Ethernet (EUI-48) address.
///
/// Displays as `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The address with these six bytes, in transmission order.
    #[must_use]
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// A new random address: unicast and locally administered (IEEE 802-2014,
    /// section 8.4).
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn random() -> Result<Self, Error> {
        let mut octets = [0; 6];
        getrandom::fill(&mut octets).map_err(|e| {
            let errno = e.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
            Cause::from(errno).during("cannot choose a random MAC address")
        })?;
        octets[0] = (octets[0] & !MULTICAST) | LOCAL;
        Ok(Self(octets))
    }

    /// The six bytes, in transmission order.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether all bytes are zero: the address of `lo`, and of a bridge that
    /// never had one.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// The group bit of the first byte.
const MULTICAST: u8 = 0x01;
/// The universal/local bit of the first byte.
const LOCAL: u8 = 0x02;

impl From<[u8; 6]> for Mac {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is not an Ethernet address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an Ethernet MAC address")]
pub struct MacParseError(String);

/// Accepts the six-byte forms of Go's `net.ParseMAC`, which the reference
/// plugins read: `aa:bb:cc:dd:ee:ff`, `aa-bb-cc-dd-ee-ff`, `aabb.ccdd.eeff`.
impl FromStr for Mac {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, MacParseError> {
        parse(text)
            .map(Self)
            .ok_or_else(|| MacParseError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<[u8; 6]> {
    let (separator, digits) = match (text.len(), text.as_bytes().get(2)?) {
        (17, b':') => (':', 2),
        (17, b'-') => ('-', 2),
        (14, _) => ('.', 4),
        _ => return None,
    };
    let mut octets = Vec::with_capacity(6);
    for group in text.split(separator) {
        if group.len() != digits || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for pair in 0..digits / 2 {
            octets.push(u8::from_str_radix(&group[2 * pair..2 * pair + 2], 16).ok()?);
        }
    }
    octets.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_forms_and_prints_one() {
        for text in ["0a:58:0A:01:02:ff", "0a-58-0a-01-02-ff", "0a58.0a01.02FF"] {
            let mac: Mac = text.parse().unwrap();
            assert_eq!(mac, Mac::new([0x0a, 0x58, 0x0a, 1, 2, 0xff]));
            assert_eq!(mac.to_string(), "0a:58:0a:01:02:ff");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "0a:58",
            "0a:58:0a:01:02",
            "0a:58:0a:01:02:f",
            "0a:58:0a:01:02:ff:00:01",
            "0a:58:0a:01:02-ff",
            "0a:58:0a:01:02:+f",
            "0a580a0102ff",
            "0a58.0a01.02f",
            "0a58-0a01-02ff",
            "ää:ää:ää:ä",
            "0g:58:0a:01:02:ff",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
        let error = "0g".parse::<Mac>().unwrap_err();
        assert_eq!(error.to_string(), "\"0g\" is not an Ethernet MAC address");
    }

    #[test]
    fn a_random_address_is_unicast_and_local() {
        let macs: Vec<Mac> = (0..64).map(|_| Mac::random().unwrap()).collect();
        assert!(
            macs.iter()
                .all(|mac| mac.octets()[0] & 3 == 2 && !mac.is_zero())
        );
        assert!(macs.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
