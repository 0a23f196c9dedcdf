// SPDX-License-Identifier: Apache-2.0
//! Node objects, as far as the overlay cares: everything else is passed over while it is read.

use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::annotations::{Annotations, Prefix};
use crate::failure::Status;

/// A Node as a watch tells it.
pub(crate) trait Object: DeserializeOwned {
    fn metadata(&self) -> &Metadata;
}

/// The metadata of a Node.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) uid: Box<str>,
    #[serde(default)]
    pub(crate) resource_version: String,
    /// In seconds since 1970.
    #[serde(rename = "creationTimestamp", default, deserialize_with = "seconds")]
    pub(crate) since: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) annotations: Annotations,
}

/// A Node of which only the metadata was asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct MetadataOnly {
    pub(crate) metadata: Metadata,
}

impl Object for MetadataOnly {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// A Node of which only the pod CIDRs matter.
#[derive(Debug, Deserialize)]
pub(crate) struct PodCidrs {
    pub(crate) metadata: Identity,
    #[serde(default)]
    pub(crate) spec: Spec,
}

/// What tells a Node from another of the same name.
#[derive(Debug, Deserialize)]
pub(crate) struct Identity {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) uid: Box<str>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    #[serde(rename = "podCIDR", default, deserialize_with = "or_default")]
    pod_cidr: String,
    #[serde(rename = "podCIDRs", default, deserialize_with = "or_default")]
    pod_cidrs: Vec<String>,
    /// As they are, since a patch repeats them to the letter.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) taints: Vec<Value>,
}

impl Spec {
    /// The pod CIDRs; Nodes made by hand may have only the older field, which has one.
    pub(crate) fn pod_cidrs(&self) -> &[String] {
        if self.pod_cidrs.is_empty() && !self.pod_cidr.is_empty() {
            return std::slice::from_ref(&self.pod_cidr);
        }
        &self.pod_cidrs
    }
}

/// The own Node, whole, as it comes.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Whole {
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: NodeStatus,
}

/// How the Node is.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(crate) struct NodeStatus {
    #[serde(default, deserialize_with = "or_default")]
    addresses: Vec<Address>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Address {
    r#type: String,
    address: String,
}

/// A condition of a Node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Condition {
    pub(crate) r#type: String,
    pub(crate) status: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) reason: String,
}

/// What is to be known and remembered of the own Node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnObject {
    pub(crate) uid: Box<str>,
    #[serde(rename = "podCIDRs")]
    pub(crate) pod_cidrs: Vec<String>,
    pub(crate) internal_ips: Vec<String>,
    /// Those of the overlay's prefix.
    pub(crate) annotations: Annotations,
}

impl Object for Whole {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Whole {
    /// A condition by its type.
    pub(crate) fn condition(&self, r#type: &str) -> Option<&Condition> {
        let mut conditions = self.status.conditions.iter();
        conditions.find(|condition| condition.r#type == r#type)
    }

    /// Whether this is how the Node was before it was the other one: versions are numbers, which
    /// grow with every write to the cluster.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        let version = |node: &Self| node.metadata.resource_version.parse::<u128>();
        match (version(self), version(other)) {
            (Ok(one), Ok(other)) => one < other,
            _ => false,
        }
    }

    /// What is to be known of it.
    pub(crate) fn reduced(&self, prefix: &Prefix) -> OwnObject {
        let prefix = prefix.to_string();
        let annotations = self.metadata.annotations.iter();
        let ours = annotations.filter(|(name, _)| name.starts_with(&prefix));
        let addresses = self.status.addresses.iter();
        let internal = addresses.filter(|address| address.r#type == "InternalIP");
        OwnObject {
            uid: self.metadata.uid.clone(),
            pod_cidrs: self.spec.pod_cidrs().to_vec(),
            internal_ips: internal.map(|it| it.address.clone()).collect(),
            annotations: ours
                .map(|(name, text)| (name.clone(), text.clone()))
                .collect(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Page<T> {
    pub(crate) metadata: PageMetadata,
    #[serde(deserialize_with = "or_default")]
    pub(crate) items: Vec<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageMetadata {
    #[serde(default)]
    pub(crate) resource_version: String,
    /// What the next page is asked with; empty: there is none.
    #[serde(rename = "continue", default)]
    pub(crate) next: String,
}

/// A line of a watch.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "object", rename_all = "UPPERCASE")]
pub(crate) enum Event<T> {
    Added(T),
    Modified(T),
    Deleted(T),
    Bookmark(Bookmark),
    Error(Status),
}

/// Says how far the watch is, and nothing else.
#[derive(Debug, Deserialize)]
pub(crate) struct Bookmark {
    metadata: BookmarkMetadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMetadata {
    resource_version: String,
    #[serde(default, deserialize_with = "or_default")]
    annotations: Annotations,
}

impl Bookmark {
    pub(crate) fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Whether everything that was there when the watch began has been told by now.
    pub(crate) fn ends_the_list(&self) -> bool {
        let ends = self.metadata.annotations.get("k8s.io/initial-events-end");
        ends.is_some_and(|value| value == "true")
    }
}

/// A time of the API (RFC 3339); what is none is as if it was not there.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text: String = or_default(deserializer)?;
    let time = text.parse::<Timestamp>().ok();
    Ok(time.map_or(0, |time| time.as_second().try_into().unwrap_or(0)))
}

/// An explicit `null`, which Go writes for what is empty, is the default as well.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
