// SPDX-License-Identifier: Apache-2.0
//! The file that lists a cluster's nodes, `nodes.json`.

use std::fmt;

use ipnetwork::IpNetwork;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::{Fault, Node, cidr};

/// A list of nodes: `{"network": "10.200.0.0/16", "nodes": [...]}`, or the nodes alone.
///
/// Unlike a conflist, which carries other plugins' keys, the file is ours alone: a key that nobody
/// knows is a typing error, and would otherwise cost a node its MAC address or its pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeList {
    /// The networks that hold all nodes' pods; empty when the file does not say.
    pub network: Vec<IpNetwork>,
    /// The nodes, in the order of the file, which means nothing.
    pub nodes: Vec<Node>,
    /// The nodes of which a source could not read what it has. A file has none of them: it is read
    /// as a whole or not at all.
    pub unreadable: Vec<Unreadable>,
    /// Whether there may be more nodes than these: the source is a memory of an earlier time, and
    /// what it does not have is not to be removed.
    pub partial: bool,
}

/// A node of which the source cannot tell what the overlay needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreadable {
    /// The node's name.
    pub node: String,
    /// What is wrong with it.
    pub fault: Fault,
    /// Its last good entry, where the source remembers one.
    pub last: Option<Node>,
}

impl NodeList {
    /// Reads the content of a file.
    ///
    /// # Errors
    /// When it is not the JSON of a list of nodes, such as a file half written.
    pub fn parse(json: &[u8]) -> Result<Self, ParseError> {
        serde_json::from_slice(json).map_err(ParseError)
    }
}

/// Why a text is not a list of nodes, with the place in it.
#[derive(Debug, thiserror::Error)]
#[error("the list of nodes cannot be read: {0}")]
pub struct ParseError(serde_json::Error);

impl<'de> Deserialize<'de> for NodeList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Document)
    }
}

struct Document;

impl<'de> Visitor<'de> for Document {
    type Value = NodeList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of nodes, or an object with the key `nodes`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<NodeList, A::Error> {
        Ok(NodeList {
            network: Vec::new(),
            nodes: entries(SeqAccessDeserializer::new(list))?,
            ..NodeList::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NodeList, A::Error> {
        let object = Object::deserialize(MapAccessDeserializer::new(map))?;
        Ok(NodeList {
            network: object.network,
            nodes: object.nodes,
            ..NodeList::default()
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    #[serde(default, deserialize_with = "cidr::networks")]
    network: Vec<IpNetwork>,
    #[serde(deserialize_with = "entries")]
    nodes: Vec<Node>,
}

/// The nodes of a list; a failure says which of them it is about.
fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Node>, D::Error> {
    deserializer.deserialize_seq(Entries)
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of nodes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Node>, A::Error> {
        let mut nodes: Vec<Node> = Vec::new();
        loop {
            match list.next_element() {
                Ok(Some(node)) => nodes.push(node),
                Ok(None) => return Ok(nodes),
                Err(error) => {
                    let index = nodes.len();
                    return Err(A::Error::custom(format_args!("nodes[{index}]: {error}")));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
