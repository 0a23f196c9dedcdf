// SPDX-License-Identifier: Apache-2.0
//! The API server takes every object, and would take the pods that come of them.

use e2e_tests::{ControlPlane, Kubernetes};
use http::Method;
use integration_tests::{Fleet, Stack};
use serde_json::{Value, json};

use crate::kustomize::{self, BASE, FROM_FLANNEL, build, create, path, the};

/// The pod that the DaemonSet's controller makes.
fn pod(daemon_set: &Value) -> Value {
    let template = &daemon_set["spec"]["template"];
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    pod["metadata"]["namespace"] = daemon_set["metadata"]["namespace"].clone();
    pod["metadata"]["name"] = json!("podwired-x");
    pod
}

/// Those have the same names in both directories.
fn remove_cluster_wide(kubernetes: &Kubernetes, objects: &[Value]) {
    for object in objects {
        let of_cluster = object["metadata"]["namespace"].is_null();
        if of_cluster && object["kind"] != "Namespace" {
            let path = path(object);
            let collection = path.split('?').next().unwrap_or_default();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            kubernetes.delete(&format!("{collection}/{name}"));
        }
    }
}

#[test]
fn every_object_is_taken_as_it_stands() {
    let fleet = Fleet::new(1, Stack::V4);
    let control_plane = ControlPlane::start(&fleet);
    let kubernetes = control_plane.client();
    for directory in [BASE, FROM_FLANNEL] {
        if directory == FROM_FLANNEL {
            kustomize::create_kube_flannel(&kubernetes, &json!({}));
        }
        let objects = build(directory);
        create(&kubernetes, &objects);
        let pod = pod(the(&objects, "DaemonSet"));
        let created = kubernetes.create(&path(&pod), &pod);
        let priority = created["spec"]["priority"].as_i64();
        assert!(priority > Some(2_000_000_000), "it is critical: {created}");
        remove_cluster_wide(&kubernetes, &objects);
    }
    assert_kept_off(&kubernetes);
    // The proof is worth something: a slip is noticed.
    let mut slip = the(&build(BASE), "DaemonSet").clone();
    slip["metadata"]["name"] = json!("slip");
    slip["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesytem"] =
        json!(true);
    let refused = kubernetes
        .send(&Method::POST, &path(&slip), Some(&slip))
        .unwrap_err();
    assert!(
        refused.to_string().contains("readOnlyRootFilesytem"),
        "{refused}"
    );
}

/// Where kube-flannel is: its namespace and its ConfigMap stay its own.
#[test]
fn taking_over_touches_nothing_of_flannels() {
    let objects = build(FROM_FLANNEL);
    let mut kinds: Vec<_> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "ClusterRole",
            "ClusterRoleBinding",
            "DaemonSet",
            "ServiceAccount"
        ]
    );
    for object in &objects {
        let namespace = object["metadata"]["namespace"].as_str();
        assert!(
            namespace.is_none_or(|name| name == "kube-flannel"),
            "{object}"
        );
    }
    assert_eq!(
        the(&objects, "ClusterRoleBinding")["subjects"][0]["namespace"],
        "kube-flannel"
    );
}

/// flannel is kept from the nodes that are taken over.
fn assert_kept_off(kubernetes: &Kubernetes) {
    // As much of kube-flannel's DaemonSet as a patch can meet.
    let term = json!({"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]});
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}});
    let flannel = json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "kube-flannel-ds", "namespace": "kube-flannel"},
        "spec": {
            "selector": {"matchLabels": {"app": "flannel"}},
            "template": {
                "metadata": {"labels": {"app": "flannel"}},
                "spec": {"affinity": affinity, "containers": [{"name": "kube-flannel", "image": "flannel"}]},
            },
        },
    });
    create(kubernetes, std::slice::from_ref(&flannel));
    let patch = kustomize::parse(&kustomize::text("from-flannel/kube-flannel.patch.yaml"));
    let place =
        "/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds?fieldValidation=Strict";
    let patched = kubernetes.patch(place, &patch[0]);
    let terms = &patched["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    let count = |list: &Value| list.as_array().map(Vec::len);
    let expressions = &terms[0]["matchExpressions"];
    assert_eq!((count(terms), count(expressions)), (Some(1), Some(2)));
    // The label that keeps the one off brings the other.
    let ours =
        the(&build(FROM_FLANNEL), "DaemonSet")["spec"]["template"]["spec"]["nodeSelector"].clone();
    assert_eq!(
        expressions[1],
        json!({"key": "podwire/overlay", "operator": "DoesNotExist"})
    );
    assert_eq!(ours["podwire/overlay"], "podwired");
}
