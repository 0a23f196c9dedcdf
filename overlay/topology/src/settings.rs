// SPDX-License-Identifier: Apache-2.0
//! What all nodes of an overlay have to agree on, with flannel's defaults.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Family, cidr};

/// The settings of an overlay; read from JSON, absent keys take their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    /// The networks that hold all nodes' pods: every pod CIDR lies in one of them, and between
    /// them nothing is masqueraded. Key `network`, one or several; no default.
    #[serde(serialize_with = "cidr::texts", deserialize_with = "cidr::networks")]
    pub network: Vec<IpNetwork>,
    /// The VXLAN network identifier. Key `vni`; 1.
    pub vni: Vni,
    /// The UDP port of the encapsulated packets. Key `port`; 8472, which is Linux's and flannel's
    /// (RFC 7348 says 4789).
    pub port: NonZeroU16,
    /// The MTU of the underlay in bytes, when it is less than that of the underlay's link. Key
    /// `mtu`; none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "positive")]
    pub mtu: Option<NonZeroU32>,
    /// The name of the link that encapsulated packets leave by, when it is not the one with this
    /// node's underlay address: that one may be `lo` where the node itself is routed to. Key
    /// `underlay`; none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underlay: Option<String>,
    /// Whether packets to peers in the node's own subnet go without encapsulation. Key
    /// `directRouting`; false.
    pub direct_routing: bool,
    /// Whether encapsulated packets are taken from known peers only. Key `sourceFilter`; true.
    pub source_filter: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            network: Vec::new(),
            vni: Vni(1),
            port: NonZeroU16::new(8472).expect("8472 is not zero"),
            mtu: None,
            underlay: None,
            direct_routing: false,
            source_filter: true,
        }
    }
}

/// For `serde(deserialize_with)`: zero is absence, as for the reference plugins' `mtu`.
fn positive<'de, D: Deserializer<'de>>(d: D) -> Result<Option<NonZeroU32>, D::Error> {
    Ok(Option::<u32>::deserialize(d)?.and_then(NonZeroU32::new))
}

/// A VXLAN network identifier: 24 bits (RFC 7348, section 5), and not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vni(u32);

/// The longest name of a link: `IFNAMSIZ` in linux/if.h, less the closing zero.
const LONGEST_LINK_NAME: usize = 15;

impl Vni {
    /// The largest one.
    pub const MAX: Self = Self((1 << 24) - 1);

    /// As a number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The name of the VXLAN device: `podwire.<vni>` or `podwire-v6.<vni>`; for identifiers with
    /// which that is too long for a link, `pw.<vni>` or `pw-v6.<vni>`.
    #[must_use]
    pub fn device_name(self, family: Family) -> String {
        let full = self.named("podwire", family);
        full.unwrap_or_else(|| format!("pw{}.{self}", suffix(family)))
    }

    /// The name that flannel gives its VXLAN device: `flannel.<vni>` or `flannel-v6.<vni>`; none
    /// where that is too long for a link, and flannel has no device.
    #[must_use]
    pub fn flannel_device_name(self, family: Family) -> Option<String> {
        self.named("flannel", family)
    }

    fn named(self, prefix: &str, family: Family) -> Option<String> {
        let name = format!("{prefix}{}.{self}", suffix(family));
        (name.len() <= LONGEST_LINK_NAME).then_some(name)
    }
}

const fn suffix(family: Family) -> &'static str {
    match family {
        Family::V4 => "",
        Family::V6 => "-v6",
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that is not a VXLAN network identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("VNI {0} is not a number from 1 to {max}", max = Vni::MAX)]
pub struct NotAVni(String);

impl TryFrom<u64> for Vni {
    type Error = NotAVni;

    fn try_from(number: u64) -> Result<Self, NotAVni> {
        match u32::try_from(number) {
            Ok(vni @ 1..) if vni <= Self::MAX.0 => Ok(Self(vni)),
            _ => Err(NotAVni(number.to_string())),
        }
    }
}

impl FromStr for Vni {
    type Err = NotAVni;

    fn from_str(text: &str) -> Result<Self, NotAVni> {
        let number: u64 = text.parse().map_err(|_| NotAVni(format!("{text:?}")))?;
        number.try_into()
    }
}

impl<'de> Deserialize<'de> for Vni {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        number.try_into().map_err(D::Error::custom)
    }
}

impl Serialize for Vni {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Settings, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_flannels() {
        let settings = read("{}").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!((settings.vni.get(), settings.port.get()), (1, 8472));
        assert!(settings.source_filter && !settings.direct_routing);
    }

    #[test]
    fn all_keys_and_those_of_others() {
        let settings = read(
            r#"{"type": "vxlan", "network": ["10.200.0.0/16", "fd00::1/48"], "vni": 4096,
                "port": 4789, "mtu": 9000, "underlay": "eth1", "directRouting": true,
                "sourceFilter": false}"#,
        )
        .unwrap();
        let network: Vec<_> = settings.network.iter().map(IpNetwork::to_string).collect();
        assert_eq!(network, ["10.200.0.0/16", "fd00::/48"]);
        assert_eq!((settings.vni.get(), settings.port.get()), (4096, 4789));
        assert_eq!(settings.mtu.map(NonZeroU32::get), Some(9000));
        assert_eq!(settings.underlay.as_deref(), Some("eth1"));
        assert!(settings.direct_routing && !settings.source_filter);
        for settings in [settings, Settings::default()] {
            let json = serde_json::to_string(&settings).unwrap();
            assert_eq!(read(&json).unwrap(), settings, "{json}");
        }
        assert_eq!(read(r#"{"mtu": 0}"#).unwrap().mtu, None);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for json in [
            r#"{"vni": 0}"#,
            r#"{"vni": 16777216}"#,
            r#"{"vni": 4294967297}"#,
            r#"{"vni": -1}"#,
            r#"{"port": 0}"#,
            r#"{"port": 65536}"#,
            r#"{"mtu": -1}"#,
            r#"{"network": "10.200.0.0"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        let error = read(r#"{"vni": 16777216}"#).unwrap_err();
        assert!(
            error.starts_with("VNI 16777216 is not a number from 1 to 16777215"),
            "{error}"
        );
        let error = "one".parse::<Vni>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "VNI \"one\" is not a number from 1 to 16777215"
        );
        assert_eq!("16777215".parse(), Ok(Vni::MAX));
    }

    #[test]
    fn names_of_devices_fit_a_link() {
        let names = |vni: Vni| Family::ALL.map(|family| vni.device_name(family));
        assert_eq!(names(Vni(1)), ["podwire.1", "podwire-v6.1"]);
        assert_eq!(names(Vni(10_000)), ["podwire.10000", "pw-v6.10000"]);
        assert_eq!(names(Vni::MAX), ["pw.16777215", "pw-v6.16777215"]);
        let flannel = |vni: Vni| Family::ALL.map(|family| vni.flannel_device_name(family));
        let both = ["flannel.1", "flannel-v6.1"].map(|name| Some(name.to_owned()));
        assert_eq!(flannel(Vni(1)), both);
        assert_eq!(flannel(Vni::MAX), [None, None]);
    }
}
