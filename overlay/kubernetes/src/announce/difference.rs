// SPDX-License-Identifier: Apache-2.0
//! What has to be written to the own Node for it to say what it should.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

use super::Announcement;
use crate::annotations::{Prefix, written};
use crate::object::Whole;

/// The condition by which the scheduler keeps pods away from a node.
const NETWORK_UNAVAILABLE: &str = "NetworkUnavailable";

/// A strategic merge patch of the Node's status, which may change annotations, too; none when
/// nothing is to be changed.
pub(crate) fn status_patch(
    wish: &Announcement,
    prefix: &Prefix,
    present: &Whole,
    now: &Time,
) -> Option<Value> {
    let there = &present.metadata.annotations;
    let mut annotations = written(&wish.vteps, wish.vni, prefix, there);
    annotations.retain(|key, value| there.get(key) != Some(value));
    let mut patch = Map::new();
    if !annotations.is_empty() {
        patch.insert("metadata".to_owned(), json!({ "annotations": annotations }));
    }
    if let Some(condition) = condition(wish, present, now) {
        patch.insert("status".to_owned(), json!({ "conditions": [condition] }));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The condition that the network is there. Whoever else has said so may keep the last word, with
/// the exception of a flanneld that is not there any more.
fn condition(wish: &Announcement, present: &Whole, now: &Time) -> Option<Value> {
    let there = present.condition(NETWORK_UNAVAILABLE);
    let available = there.is_some_and(|there| there.status == "False");
    let stands = there.is_some_and(|there| available && there.reason != "FlannelIsUp");
    if !wish.network_available || stands {
        return None;
    }
    let mut condition = json!({
        "type": NETWORK_UNAVAILABLE,
        "status": "False",
        "reason": "PodwireIsUp",
        "message": "Podwire connects the pods of this node with those of its peers",
        "lastHeartbeatTime": now,
    });
    if !available {
        condition["lastTransitionTime"] = json!(now);
    }
    Some(condition)
}

/// A JSON patch of the Node that takes away the taints that have served their time, if its taints
/// are still those that we know.
pub(crate) fn taints_patch(wish: &Announcement, present: &Whole) -> Option<Value> {
    let taints = &present.spec.taints;
    let goes = |taint: &Value| {
        let key = taint["key"].as_str();
        wish.remove_taints
            .iter()
            .any(|wish| Some(wish.as_str()) == key)
    };
    let going: Vec<_> = (0..taints.len())
        .filter(|index| goes(&taints[*index]))
        .collect();
    if !wish.network_available || going.is_empty() {
        return None;
    }
    let mut patch = vec![json!({ "op": "test", "path": "/spec/taints", "value": taints })];
    if going.len() == taints.len() {
        patch.push(json!({ "op": "remove", "path": "/spec/taints" }));
    } else {
        let remove = |index| json!({ "op": "remove", "path": format!("/spec/taints/{index}") });
        patch.extend(going.into_iter().rev().map(remove));
    }
    Some(Value::Array(patch))
}

#[cfg(test)]
mod tests;
