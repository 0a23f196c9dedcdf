// SPDX-License-Identifier: Apache-2.0
//! Service accounts: what they may do, and their tokens.

use serde_json::{Value, json};

use crate::kubernetes::Kubernetes;
use crate::objects::named;

impl Kubernetes {
    /// Makes a service account, its namespace too if that is missing, to which RBAC allows `rules`.
    ///
    /// # Panics
    /// When the API server refuses.
    pub fn create_account(&self, namespace: &str, name: &str, rules: &Value) {
        if self
            .get(&format!("/api/v1/namespaces/{namespace}"))
            .is_none()
        {
            self.create("/api/v1/namespaces", &named("v1", "Namespace", namespace));
        }
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.create(&accounts, &named("v1", "ServiceAccount", name));
        let version = "rbac.authorization.k8s.io/v1";
        let mut role = named(version, "ClusterRole", name);
        role["rules"] = rules.clone();
        self.create(&format!("/apis/{version}/clusterroles"), &role);
        let mut binding = named(version, "ClusterRoleBinding", name);
        binding["roleRef"] = json!({
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name,
        });
        binding["subjects"] = json!([
            {"kind": "ServiceAccount", "name": name, "namespace": namespace},
        ]);
        self.create(&format!("/apis/{version}/clusterrolebindings"), &binding);
    }

    /// A new token of a service account.
    ///
    /// # Panics
    /// When there is no such account.
    pub fn token(&self, namespace: &str, account: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {},
        });
        let answer = self.create(&path, &request);
        let token = answer["status"]["token"].as_str();
        token.expect("a token was asked for").to_owned()
    }
}
