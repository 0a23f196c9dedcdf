// SPDX-License-Identifier: Apache-2.0
//! The keys as they are written: in the configuration and, the same ones, in its `args.cni`.

use std::collections::BTreeMap;

use cni::{Code, Error};
use net::Mac;
use serde::Deserialize;

use crate::attributes::Attributes;

/// An IPv4 link's smallest MTU (RFC 791, section 3.2), which the kernel asks of each.
const MTU_MIN: u32 = 68;
/// The largest IPv4 packet.
const MTU_MAX: u32 = 65535;

/// What can be set.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) sysctl: BTreeMap<String, Option<String>>,
    pub(crate) mac: String,
    mtu: Option<i64>,
    promisc: Option<bool>,
    allmulti: Option<bool>,
    #[serde(rename = "txQLen")]
    tx_queue_len: Option<i64>,
}

impl Settings {
    /// All but the MAC address, which others have a say in; those of `args.cni` come first.
    pub(crate) fn attributes(&self, args: &Self) -> Result<Attributes, Error> {
        Ok(Attributes {
            mac: None,
            mtu: mtu(args.mtu.or(self.mtu))?,
            // As with the reference plugin, `false` leaves the mode as it is.
            promisc: args.promisc.or(self.promisc).filter(|on| *on),
            allmulti: args.allmulti.or(self.allmulti),
            tx_queue_len: queue(args.tx_queue_len.or(self.tx_queue_len))?,
        })
    }
}

fn mtu(given: Option<i64>) -> Result<Option<u32>, Error> {
    let Some(mtu) = given.filter(|mtu| *mtu != 0) else {
        return Ok(None);
    };
    match u32::try_from(mtu) {
        Ok(mtu) if (MTU_MIN..=MTU_MAX).contains(&mtu) => Ok(Some(mtu)),
        _ => Err(invalid(format!(
            "invalid mtu {mtu} (must be 0 for unchanged, or between {MTU_MIN} and {MTU_MAX})"
        ))),
    }
}

fn queue(given: Option<i64>) -> Result<Option<u32>, Error> {
    let wrong = |length| invalid(format!("invalid txQLen {length} (must be a 32-bit number)"));
    let length = |length| u32::try_from(length).map_err(|_| wrong(length));
    given.map(length).transpose()
}

/// Reads a MAC address that an interface can have; `source` is where it is written.
pub(crate) fn mac(text: &str, source: &str, code: Code) -> Result<Mac, Error> {
    let refused = |cause: &str| {
        let msg = format!("{source}: address {text}: {cause}");
        Error::new(code, msg)
    };
    let mac: Mac = text.parse().map_err(|_| refused("invalid MAC address"))?;
    if mac.is_zero() || mac.octets()[0] & 1 == 1 {
        let cause = "no interface can have a zero or a multicast MAC address";
        return Err(refused(cause));
    }
    Ok(mac)
}

pub(crate) fn invalid(msg: impl Into<String>) -> Error {
    Error::new(Code::INVALID_CONFIG, msg)
}
