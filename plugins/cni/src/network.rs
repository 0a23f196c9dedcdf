// SPDX-License-Identifier: Apache-2.0
//! The configuration on stdin, as far as the protocol itself reads it.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::environment::{Environment, is_identifier};
use crate::{Code, Error, OrCode, Version, fold};

/// The network that a call is about: one plugin's configuration out of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The network's name.
    pub name: String,
    /// The version that configuration and result are written in; 0.1.0 when it names none.
    pub version: Version,
    pub(crate) environment: Environment,
    document: Value,
    stdin: Arc<[u8]>,
}

impl Network {
    /// Reads a configuration as the call that brings it on stdin does.
    ///
    /// # Errors
    /// [`Code::DECODE`] for what is no JSON object or has a name or version that is no string,
    /// [`Code::INVALID_CONFIG`] for a missing or invalid name, [`Code::INCOMPATIBLE_VERSION`].
    pub fn parse(stdin: &[u8]) -> Result<Self, Error> {
        Self::of_call(stdin, &Version::ALL, Environment::default())
    }

    /// The same for a plugin that knows only these versions and was called with this environment.
    pub(crate) fn of_call(
        stdin: &[u8],
        versions: &[Version],
        environment: Environment,
    ) -> Result<Self, Error> {
        let document = document(stdin)?;
        let name = name(&document)?;
        let version = version(&document, versions)?;
        Ok(Self {
            name,
            version,
            environment,
            document,
            stdin: stdin.into(),
        })
    }

    /// The configuration as a `T`. Keys match without regard to case, `null` is absence and
    /// unknown keys are ignored, as in every Go plugin; `T` must not use serde's `flatten`.
    ///
    /// # Errors
    /// [`Code::DECODE`] for a wrong JSON type, [`Code::INVALID_CONFIG`] for a value that is wrong
    /// in itself or missing; the message names its key, such as `ipam.ranges[0][0].subnet`.
    pub fn conf<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.read()
    }

    fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let wish = format_args!("cannot read the configuration of network {:?}", self.name);
        fold::from_value(&self.document).map_err(|failure| failure.into_error(wish))
    }

    /// The configuration as it came in; a delegated plugin gets the same bytes.
    pub fn stdin(&self) -> &[u8] {
        &self.stdin
    }

    /// The name of the IPAM plugin; none for a network without addresses of its own.
    pub fn ipam_type(&self) -> Option<&str> {
        self.ipam().ok().flatten()
    }

    /// [`Self::ipam_type`], but an error where that passes over something malformed. DEL doesn't
    /// ask: a configuration that is broken by now must not keep an attachment alive.
    pub(crate) fn ipam(&self) -> Result<Option<&str>, Error> {
        #[derive(Deserialize)]
        struct Conf<'a> {
            #[serde(borrow)]
            ipam: Option<Ipam<'a>>,
        }
        #[derive(Deserialize)]
        struct Ipam<'a> {
            r#type: Option<&'a str>,
        }
        let kind = self.read::<Conf<'_>>()?.ipam.and_then(|ipam| ipam.r#type);
        Ok(kind.filter(|kind| !kind.is_empty()))
    }

    /// The plugin that the configuration is for: its `type`.
    pub(crate) fn plugin_type(&self) -> Option<&str> {
        fold::field(&self.document, "type").and_then(Value::as_str)
    }

    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    pub(crate) fn shared_stdin(&self) -> Arc<[u8]> {
        Arc::clone(&self.stdin)
    }
}

/// The version that an error object about this input names.
pub(crate) fn version_for_error(stdin: &[u8]) -> Version {
    document(stdin)
        .and_then(|document| version(&document, &Version::ALL))
        .unwrap_or(Version::NEWEST)
}

/// The version of a configuration that a plugin makes for its delegate.
pub(crate) fn version_of(configuration: &Map<String, Value>) -> Result<Version, Error> {
    // Only the one key is of interest, whatever its case.
    let key = |(key, _): &(&String, &Value)| key.eq_ignore_ascii_case("cniVersion");
    let keys = configuration.iter().filter(key);
    let document = keys.map(|(key, value)| (key.clone(), value.clone()));
    version(&Value::Object(document.collect()), &Version::ALL)
}

const WISH: &str = "error unmarshall network config";

fn document(stdin: &[u8]) -> Result<Value, Error> {
    match serde_json::from_slice(stdin) {
        Ok(document @ (Value::Object(_) | Value::Null)) => Ok(document),
        Ok(_) => Err(Error::new(
            Code::DECODE,
            format!("{WISH}: it is not a JSON object"),
        )),
        Err(error) if error.is_eof() => Err(Error::new(
            Code::DECODE,
            format!("{WISH}: unexpected end of JSON input"),
        )),
        Err(error) => Err(error).or_code(Code::DECODE, WISH),
    }
}

/// A top-level string; empty when the key is absent.
fn text<'a>(document: &'a Value, key: &str) -> Result<&'a str, Error> {
    let text = fold::field(document, key).map_or(Ok(""), fold::from_value);
    text.map_err(|failure| failure.within(key).into_error(WISH))
}

fn name(document: &Value) -> Result<String, Error> {
    match text(document, "name")? {
        "" => Err(Error::new(Code::INVALID_CONFIG, "missing network name")),
        name if is_identifier(name) => Ok(name.to_owned()),
        name => Err(Error::new(
            Code::INVALID_CONFIG,
            "invalid characters found in network name",
        )
        .with_details(name)),
    }
}

fn version(document: &Value, supported: &[Version]) -> Result<Version, Error> {
    let wanted = match text(document, "cniVersion")? {
        "" => Version::V0_1_0.as_str(),
        version => version,
    };
    supported
        .iter()
        .copied()
        .find(|version| version.as_str() == wanted)
        .ok_or_else(|| {
            let supported: Vec<_> = supported
                .iter()
                .map(|version| format!("\"{version}\""))
                .collect();
            let supported = supported.join(" ");
            Error::new(Code::INCOMPATIBLE_VERSION, "incompatible CNI versions").with_details(
                format!("config is {wanted:?}, plugin supports [{supported}]"),
            )
        })
}

#[cfg(test)]
mod tests;
