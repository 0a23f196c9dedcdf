// SPDX-License-Identifier: Apache-2.0
//! A result in the JSON of each version: three shapes, of which 1.0.0 and 1.1.0 share one, 0.3.0
//! to 0.4.0 one, and 0.1.0 and 0.2.0 one.

mod list;
mod pair;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use self::list::ReadList;
use self::pair::{Pair, ReadPair};
use crate::{AddResult, Code, Error, OrCode, Version, fold};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One address per family, in `ip4` and `ip6`.
    Pair,
    /// Lists, in which an address says its family.
    Tagged,
    /// Lists.
    Plain,
}

impl Shape {
    fn of(version: Version) -> Self {
        match version {
            Version::V0_1_0 | Version::V0_2_0 => Self::Pair,
            Version::V0_3_0 | Version::V0_3_1 | Version::V0_4_0 => Self::Tagged,
            Version::V1_0_0 | Version::V1_1_0 => Self::Plain,
        }
    }
}

impl AddResult {
    /// Reads a result that came with a configuration of this version, such as `prevResult`.
    /// `null` is the empty result.
    ///
    /// # Errors
    /// [`Code::DECODE`] and [`Code::INVALID_CONFIG`] as [`Network::conf`](crate::Network::conf),
    /// [`Code::DECODE`] also when the result says a version of another shape than `config`.
    pub fn parse(value: &Value, config: Version) -> Result<Self, Error> {
        let version = version(value, config)?;
        if Shape::of(version) != Shape::of(config) {
            let msg = format!("a result of CNI {version} under a configuration of CNI {config}");
            return Err(Error::new(Code::DECODE, msg));
        }
        read(value, version)
    }

    /// Reads a result of the version that it says itself. Delegates answer with such, and the
    /// reference plugins take them.
    pub(crate) fn parse_any(value: &Value, config: Version) -> Result<Self, Error> {
        read(value, version(value, config)?)
    }

    /// The result in the JSON of this version, whatever that version cannot say left out.
    ///
    /// # Errors
    /// [`Code::INCOMPATIBLE_VERSION`] when there is no address and the version demands one, as
    /// 0.1.0 and 0.2.0 do. A plugin that attaches without addresses refuses before it changes
    /// anything.
    pub fn to_json(&self, version: Version) -> Result<String, Error> {
        match Shape::of(version) {
            Shape::Pair if self.ips.is_empty() => Err(Error::new(
                Code::INCOMPATIBLE_VERSION,
                "cannot convert: no valid IP addresses",
            )
            .with_details(format!("a result of CNI {version} must have an IP address"))),
            Shape::Pair => pretty(&Pair::of(self, version)),
            Shape::Tagged => list::tagged(self, version),
            Shape::Plain => list::plain(self, version),
        }
    }
}

/// JSON as the reference plugins print it, and without a newline at the end as they do.
pub(crate) fn pretty(document: &impl Serialize) -> Result<String, Error> {
    let mut json = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    document
        .serialize(&mut Serializer::with_formatter(&mut json, formatter))
        .or_code(Code::INTERNAL, "cannot write JSON")?;
    String::from_utf8(json).or_code(Code::INTERNAL, "cannot write JSON")
}

/// The version that a result says, or else the configuration's.
fn version(value: &Value, config: Version) -> Result<Version, Error> {
    let text: &str = fold::field(value, "cniVersion")
        .map_or(Ok(""), fold::from_value)
        .map_err(|failure| {
            failure
                .within("cniVersion")
                .into_error("cannot read a result")
        })?;
    if text.is_empty() {
        Ok(config)
    } else {
        text.parse()
    }
}

fn read(value: &Value, version: Version) -> Result<AddResult, Error> {
    let result = match Shape::of(version) {
        Shape::Pair => fold::from_value::<ReadPair>(value).map(AddResult::from),
        Shape::Tagged | Shape::Plain => fold::from_value::<ReadList>(value).map(AddResult::from),
    };
    let wish = format_args!("cannot read a result of CNI {version}");
    result.map_err(|failure| failure.into_error(wish))
}

#[cfg(test)]
mod tests;
