// SPDX-License-Identifier: Apache-2.0
//! A key that `sysctl` has twice. A JSON document that is read already has lost one of them, so
//! this reads the text.

use std::collections::BTreeSet;
use std::fmt;

use cni::{Code, Error, OrCode as _};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::settings::invalid;

/// Refuses a text whose `sysctl` has a key twice.
pub(crate) fn refuse(text: &[u8]) -> Result<(), Error> {
    let keys: SysctlKeys = serde_json::from_slice(text)
        .or_code(Code::DECODE, "cannot read the keys of sysctl once more")?;
    let mut seen = BTreeSet::new();
    match keys.0.into_iter().find(|key| !seen.insert(key.clone())) {
        Some(key) => Err(invalid("duplicated sysctl keys are not allowed")
            .with_details(format!("sysctl has {key:?} twice"))),
        None => Ok(()),
    }
}

/// The keys of the member `sysctl` of an object, however its case is spelled.
struct SysctlKeys(Vec<String>);

impl<'de> Deserialize<'de> for SysctlKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Whole).map(Self)
    }
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a network configuration")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.eq_ignore_ascii_case("sysctl") {
                keys.extend(map.next_value::<Option<Keys>>()?.map(|keys| keys.0));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(keys.into_iter().flatten().collect())
    }
}

/// The keys of an object.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("sysctls with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_found_wherever_it_is() {
        for text in [
            r#"{"sysctl": {"net.a": "1", "net.a": "1"}}"#,
            r#"{"name": {"sysctl": 5}, "sysctl": {"net.a": "1"}, "SYSCTL": {"net.a": "2"}}"#,
        ] {
            let error = refuse(text.as_bytes()).unwrap_err();
            assert_eq!(error.msg, "duplicated sysctl keys are not allowed");
            assert_eq!(error.details.as_deref(), Some("sysctl has \"net.a\" twice"));
        }
    }

    #[test]
    fn keys_of_other_objects_may_be_there_twice() {
        let text = r#"{"a": 1, "a": {"x": 1, "x": 2}, "sysctl": {"net.a": "1", "net.b": "1"}}"#;
        assert_eq!(refuse(text.as_bytes()), Ok(()));
        assert_eq!(refuse(br#"{"sysctl": null}"#), Ok(()));
    }
}
