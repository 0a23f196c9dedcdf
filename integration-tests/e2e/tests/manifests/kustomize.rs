// SPDX-License-Identifier: Apache-2.0
//! The objects of a directory of manifests, and where the API has them.

use std::process::Command;

use e2e_tests::Kubernetes;
use http::Method;
use integration_tests::binaries;
use serde_json::{Value, json};

/// The directories that a user applies.
pub(crate) const BASE: &str = "base";
pub(crate) const FROM_FLANNEL: &str = "from-flannel";

/// The text of a file below `conf-examples/kubernetes`.
pub(crate) fn text(file: &str) -> String {
    let path = binaries::workspace()
        .join("conf-examples/kubernetes")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `kustomize build` makes of a directory below `conf-examples/kubernetes`.
pub(crate) fn build(directory: &str) -> Vec<Value> {
    let path = binaries::workspace()
        .join("conf-examples/kubernetes")
        .join(directory);
    let mut kustomize = Command::new(binaries::tool("cluster/kustomize"));
    let output = kustomize
        .arg("build")
        .arg(path)
        .output()
        .expect("kustomize can be executed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// The documents of a YAML file.
pub(crate) fn parse(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).expect("it is YAML")
}

/// The one object of a kind.
pub(crate) fn the<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "there is more than one {kind}");
    object
}

/// Where objects of this one's kind are created; what is not as the schema has it is refused.
pub(crate) fn path(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let version = text("/apiVersion").expect("an object has a version");
    let group = if version.contains('/') { "apis" } else { "api" };
    let kind = text("/kind").expect("an object has a kind").to_lowercase();
    let namespace = text("/metadata/namespace");
    let namespace = namespace
        .map(|name| format!("/namespaces/{name}"))
        .unwrap_or_default();
    format!("/{group}/{version}{namespace}/{kind}s?fieldValidation=Strict")
}

/// Creates all of them in their order, as `kubectl apply` does.
pub(crate) fn create(kubernetes: &Kubernetes, objects: &[Value]) {
    for object in objects {
        let created = kubernetes.send(&Method::POST, &path(object), Some(object));
        created.unwrap_or_else(|error| panic!("{}: {error}", object["kind"]));
    }
}

/// A namespace with kube-flannel's ConfigMap in it.
pub(crate) fn create_kube_flannel(kubernetes: &Kubernetes, net_conf: &Value) {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-flannel"}});
    let configuration = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kube-flannel-cfg", "namespace": "kube-flannel"},
        "data": {"net-conf.json": net_conf.to_string()},
    });
    create(kubernetes, &[namespace, configuration]);
}
