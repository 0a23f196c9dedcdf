// SPDX-License-Identifier: Apache-2.0
//! Patches of a Node, given what it says.

use std::net::Ipv4Addr;

use topology::{Mac, Underlay, Vni};

use super::*;
use crate::annotations::Announced;

fn wish() -> Announcement {
    Announcement {
        vni: Vni::try_from(1).unwrap(),
        vteps: Announced {
            underlay: Underlay {
                v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
                v6: None,
            },
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            mac_v6: None,
        },
        network_available: true,
        remove_taints: vec!["example.com/starting".to_owned()],
    }
}

fn now() -> Time {
    serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap()
}

/// A Node as flannel leaves it, with these changes.
fn node(changes: Value) -> Whole {
    let mut node = json!({
        "metadata": {
            "name": "n1",
            "annotations": {
                "flannel.alpha.coreos.com/kube-subnet-manager": "true",
                "flannel.alpha.coreos.com/backend-type": "vxlan",
                "flannel.alpha.coreos.com/backend-data":
                    "{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:01\"}",
                "flannel.alpha.coreos.com/public-ip": "192.0.2.1",
            },
        },
        "status": { "conditions": [
            { "type": "Ready", "status": "True", "reason": "KubeletReady" },
            { "type": "NetworkUnavailable", "status": "False", "reason": "PodwireIsUp" },
        ]},
    });
    merge(&mut node, changes);
    serde_json::from_value(node).unwrap()
}

fn merge(value: &mut Value, changes: Value) {
    match changes {
        Value::Object(changes) => {
            for (key, change) in changes {
                merge(&mut value[key], change);
            }
        }
        change => *value = change,
    }
}

fn status(wish: &Announcement, present: &Whole) -> Option<Value> {
    status_patch(wish, &Prefix::default(), present, &now())
}

fn condition_of(status: &str, reason: &str) -> Value {
    let condition = json!({ "type": "NetworkUnavailable", "status": status, "reason": reason });
    json!({ "status": { "conditions": [condition] } })
}

#[test]
fn what_stands_is_not_written() {
    assert_eq!(status(&wish(), &node(json!({}))), None);
    assert_eq!(taints_patch(&wish(), &node(json!({}))), None);
}

/// A fake node, or one that has just been registered: nothing of it is there.
#[test]
fn a_bare_node_gets_everything() {
    let bare = serde_json::from_value(json!({ "metadata": { "name": "n1" } })).unwrap();
    let patch = status(&wish(), &bare).unwrap();
    assert_eq!(
        patch["metadata"]["annotations"].as_object().unwrap().len(),
        4
    );
    assert_eq!(
        patch["status"]["conditions"],
        json!([{
            "type": "NetworkUnavailable",
            "status": "False",
            "reason": "PodwireIsUp",
            "message": "Podwire connects the pods of this node with those of its peers",
            "lastHeartbeatTime": "2026-01-02T03:04:05Z",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }])
    );
}

#[test]
fn only_what_differs_is_written() {
    let key = "flannel.alpha.coreos.com/public-ip";
    let patch = status(
        &wish(),
        &node(json!({ "metadata": { "annotations": { key: "" } } })),
    );
    let expected = json!({ "metadata": { "annotations": { key: "192.0.2.1" } } });
    assert_eq!(patch, Some(expected));
}

#[test]
fn the_condition_follows_the_network_and_no_dispute_is_made_of_its_wording() {
    let unavailable = node(condition_of("True", "NoRouteCreated"));
    let patch = status(&wish(), &unavailable).unwrap();
    assert!(patch.get("metadata").is_none(), "{patch}");
    assert_eq!(patch["status"]["conditions"][0]["status"], "False");

    let waiting = Announcement {
        network_available: false,
        ..wish()
    };
    assert_eq!(status(&waiting, &unavailable), None);
    assert_eq!(
        status(&wish(), &node(condition_of("False", "RouteCreated"))),
        None
    );
}

#[test]
fn flannels_word_is_replaced_but_not_the_time_of_the_change() {
    let patch = status(&wish(), &node(condition_of("False", "FlannelIsUp"))).unwrap();
    let condition = &patch["status"]["conditions"][0];
    assert_eq!(condition["reason"], "PodwireIsUp");
    assert_eq!(condition.get("lastTransitionTime"), None);
}

fn taint(key: &str, effect: &str) -> Value {
    json!({ "key": key, "effect": effect, "timeAdded": "2026-01-02T03:04:05Z" })
}

#[test]
fn served_taints_go_and_others_stay() {
    let taints = json!([
        taint("example.com/starting", "NoSchedule"),
        taint("example.com/other", "NoSchedule"),
        taint("example.com/starting", "NoExecute"),
    ]);
    let present = node(json!({ "spec": { "taints": taints } }));
    assert_eq!(
        taints_patch(&wish(), &present),
        Some(json!([
            { "op": "test", "path": "/spec/taints", "value": taints },
            { "op": "remove", "path": "/spec/taints/2" },
            { "op": "remove", "path": "/spec/taints/0" },
        ]))
    );
}

#[test]
fn the_last_taint_goes_with_the_list() {
    let taints = json!([taint("example.com/starting", "NoSchedule")]);
    let present = node(json!({ "spec": { "taints": taints } }));
    assert_eq!(
        taints_patch(&wish(), &present),
        Some(json!([
            { "op": "test", "path": "/spec/taints", "value": taints },
            { "op": "remove", "path": "/spec/taints" },
        ]))
    );
}

#[test]
fn taints_stay_until_the_network_is_there_and_unless_they_are_named() {
    let taints = json!([taint("example.com/starting", "NoSchedule"), "no taint"]);
    let present = node(json!({ "spec": { "taints": taints } }));
    let waiting = Announcement {
        network_available: false,
        ..wish()
    };
    assert_eq!(taints_patch(&waiting, &present), None);
    let silent = Announcement {
        remove_taints: Vec::new(),
        ..wish()
    };
    assert_eq!(taints_patch(&silent, &present), None);
}
