// SPDX-License-Identifier: Apache-2.0
//! What a kubelet and a container runtime give a pod of the manifests: the volumes, and what each
//! container finds where its mounts are.

use std::fs::{self, create_dir_all};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use integration_tests::Member;
use integration_tests::binaries::{self, PLUGINS};
use nix::mount::{MsFlags, mount};
use serde_json::Value;

/// Where a node of the laboratory has what a pod's host has outside of `/run`, which is the node's
/// own.
pub(crate) const HOST: &str = "/run/lab/host";
/// Where the pod's volumes and roots are.
const POD: &str = "/run/lab/pod";
/// Where a container finds its service account (Kubernetes' documentation, "Service Accounts").
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

/// What the API server would tell a kubelet about a pod.
pub(crate) struct Pod<'a> {
    pub(crate) member: &'a Member,
    /// The pod's specification.
    pub(crate) spec: &'a Value,
    /// The ConfigMap that it mounts.
    pub(crate) configuration: &'a Value,
    /// Where the API is, its authority's certificate, and a token of the pod's account.
    pub(crate) api: SocketAddr,
    pub(crate) authority: String,
    pub(crate) token: String,
}

/// The path of the host at which a hostPath volume is, as the laboratory has it.
pub(crate) fn on_host(path: &str) -> PathBuf {
    match path.starts_with("/run/") {
        true => path.into(),
        false => Path::new(HOST).join(path.trim_start_matches('/')),
    }
}

impl Pod<'_> {
    /// Makes a container's file system, by threads of the member's; returns its root.
    pub(crate) fn root_of(&self, container: &Value) -> PathBuf {
        let name = container["name"].as_str().expect("a container has a name");
        let root = Path::new(POD).join(name);
        let read_only = container["securityContext"]["readOnlyRootFilesystem"] == true;
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let mounts: Vec<_> = mounts.map(|mount| (mount, self.volume(mount))).collect();
        let plugins = binaries::plugins();
        self.member.node.run(|| {
            create_dir_all(&root).expect("a node's /run is writable");
            mount(
                Some("tmpfs"),
                &root,
                Some("tmpfs"),
                MsFlags::empty(),
                None::<&str>,
            )
            .expect("a file system can be mounted");
            // As the Dockerfile has it copied.
            bind_file(
                &plugins.join("podwired"),
                &root.join("usr/local/bin/podwired"),
            );
            for plugin in PLUGINS {
                bind_file(
                    &plugins.join(plugin),
                    &root.join("opt/cni/bin").join(plugin),
                );
            }
            for (mount, source) in &mounts {
                let at = mount["mountPath"].as_str().expect("a mount has a path");
                let at = root.join(at.trim_start_matches('/'));
                create_dir_all(source).expect("type DirectoryOrCreate");
                bind(source, &at, mount["readOnly"] == true);
            }
            self.write_account(&root.join(ACCOUNT));
            bind(Path::new("/proc"), &root.join("proc"), false);
            bind(Path::new("/proc/sys"), &root.join("proc/sys"), true);
            if read_only {
                let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
                mount(None::<&str>, &root, None::<&str>, flags, None::<&str>)
                    .expect("a file system can be made read-only");
            }
        });
        root
    }

    /// Where the content of a mount's volume is.
    fn volume(&self, mount: &Value) -> PathBuf {
        let volumes = self.spec["volumes"]
            .as_array()
            .expect("the pod has volumes");
        let named = |volume: &&Value| volume["name"] == mount["name"];
        let volume = volumes.iter().find(named);
        let volume = volume.unwrap_or_else(|| panic!("no volume {}", mount["name"]));
        if let Some(path) = volume.pointer("/hostPath/path").and_then(Value::as_str) {
            return on_host(path);
        }
        let name = volume.pointer("/configMap/name").and_then(Value::as_str);
        let name = name.unwrap_or_else(|| panic!("of another kind: {volume}"));
        let directory = Path::new(POD).join("volumes").join(name);
        assert_eq!(self.configuration["metadata"]["name"], name);
        let data = &self.configuration["data"];
        for (file, content) in data.as_object().into_iter().flatten() {
            let content = content.as_str().expect("a ConfigMap holds text");
            self.member.node.write(directory.join(file), content);
        }
        directory
    }

    fn write_account(&self, directory: &Path) {
        create_dir_all(directory).expect("the container's root is writable still");
        for (file, content) in [
            ("token", &self.token),
            ("ca.crt", &self.authority),
            ("namespace", &"podwire".to_owned()),
        ] {
            fs::write(directory.join(file), content).expect("it is writable");
        }
    }
}

fn bind_file(source: &Path, target: &Path) {
    create_dir_all(target.parent().expect("a file is in a directory")).expect("it is writable");
    fs::write(target, "").expect("it is writable");
    let flags = MsFlags::MS_BIND;
    mount(Some(source), target, None::<&str>, flags, None::<&str>)
        .unwrap_or_else(|errno| panic!("{}: {errno}", target.display()));
}

fn bind(source: &Path, target: &Path, read_only: bool) {
    create_dir_all(target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, None::<&str>, flags, None::<&str>)
        .unwrap_or_else(|errno| panic!("{}: {errno}", target.display()));
    if read_only {
        // What a mount of the host's is by itself must not be taken from it.
        let locked = match source.starts_with("/proc") {
            true => MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
            false => MsFlags::empty(),
        };
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | locked;
        mount(None::<&str>, target, None::<&str>, flags, None::<&str>)
            .unwrap_or_else(|errno| panic!("{}: {errno}", target.display()));
    }
}
