// SPDX-License-Identifier: Apache-2.0
//! The workspace as cargo sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use serde_json::Value;

use crate::binaries::workspace;

/// What `cargo metadata` says about the workspace and everything that it is built from.
#[derive(Debug)]
pub struct Metadata {
    packages: BTreeMap<String, Value>,
    members: BTreeSet<String>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Metadata {
    /// Asks cargo, offline, for the target that this process is built for.
    ///
    /// # Panics
    /// When cargo can't say.
    pub fn read() -> Self {
        let triple = format!("{}-unknown-linux-musl", env::consts::ARCH);
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(workspace())
            .args(["metadata", "--offline", "--locked"]);
        cargo.args(["--format-version", "1", "--filter-platform", &triple]);
        let output = cargo
            .output()
            .unwrap_or_else(|error| panic!("cargo: {error}"));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let all: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        let nodes = list(&all["resolve"]["nodes"]);
        let depends = |node: &Value| list(&node["dependencies"]).iter().map(string).collect();
        Self {
            packages: list(&all["packages"])
                .iter()
                .map(|p| (string(&p["id"]), p.clone()))
                .collect(),
            members: list(&all["workspace_members"]).iter().map(string).collect(),
            dependencies: nodes
                .iter()
                .map(|node| (string(&node["id"]), depends(node)))
                .collect(),
        }
    }

    /// The workspace's own packages by name, each with its directory below the workspace.
    pub fn members(&self) -> BTreeMap<String, String> {
        let root = format!("{}/", workspace().display());
        let own = self
            .packages
            .iter()
            .filter(|(id, _)| self.members.contains(*id));
        let own = own.map(|(_, package)| {
            let manifest = string(&package["manifest_path"]).replace(&root, "");
            (
                string(&package["name"]),
                manifest.replace("/Cargo.toml", ""),
            )
        });
        own.collect()
    }

    /// The names of the workspace's packages that a package names among its dependencies of any
    /// kind.
    pub fn uses(&self, name: &str) -> BTreeSet<String> {
        let direct = self.dependencies[self.id(name)].iter();
        let own = direct.filter(|id| self.members.contains(*id));
        own.map(|id| string(&self.packages[id]["name"])).collect()
    }

    /// The names of all packages that a package is built or tested from.
    pub fn closure(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.id(name)];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(&self.dependencies[id]);
            }
        }
        seen.into_iter()
            .map(|id| string(&self.packages[id]["name"]))
            .collect()
    }

    /// Name and licence expression of every package.
    pub fn licences(&self) -> BTreeMap<String, String> {
        let packages = self.packages.values();
        packages
            .map(|package| (string(&package["name"]), string(&package["license"])))
            .collect()
    }

    fn id(&self, name: &str) -> &String {
        let found = self
            .packages
            .iter()
            .find(|(_, package)| package["name"] == name);
        found
            .unwrap_or_else(|| panic!("there is no package {name}"))
            .0
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
