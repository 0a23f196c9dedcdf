// SPDX-License-Identifier: Apache-2.0
//! podman on a node, with everything of its own: storage, networks, locks, control groups. Its
//! networks are CNI's (`network_backend = "cni"`), by the plugins of any directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::{Node, Outcome, Place, http};

use crate::PATIENCE;
use crate::cgroup::Cgroup;
use crate::image::{IMAGE, SERVER, image};

/// Where a node's podman has everything.
const DIRECTORY: &str = "/run/lab/podman";
/// Where a node's podman has its networks.
const NETWORKS: &str = "/run/lab/podman/net.d";

const CONFIGURATION: &str = r#"
[containers]
log_driver = "k8s-file"
# The defaults are more than an unprivileged machine allows.
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]

[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
tmp_dir = "/run/lab/podman/tmp"

[network]
network_backend = "cni"
network_config_dir = "/run/lab/podman/net.d"
"#;

/// Layers are copied: on a node's `/run`, a tmpfs, older kernels make no overlay.
const STORAGE: &str = r#"
[storage]
driver = "vfs"
graphroot = "/run/lab/podman/storage"
runroot = "/run/lab/podman/run"
"#;

/// A node's podman. Containers that are left when it is dropped are killed.
#[derive(Debug)]
pub struct Podman<'a> {
    node: &'a Node,
    cgroup: Cgroup,
}

impl<'a> Podman<'a> {
    /// Where a node's podman has its networks.
    pub const NETWORKS: &'static str = NETWORKS;

    /// Installs podman's configuration and the laboratory's [`IMAGE`] on a node.
    ///
    /// # Panics
    /// When podman is missing or can't work here.
    pub fn new(node: &'a Node, plugins: &Path) -> Self {
        let podman = Self {
            node,
            cgroup: Cgroup::new(),
        };
        let plugins = format!("cni_plugin_dirs = [{:?}]\n", plugins.display().to_string());
        node.write(file("containers.conf"), CONFIGURATION.to_owned() + &plugins);
        node.write(file("storage.conf"), STORAGE);
        let archive = image(node, &file("image"));
        podman.say(&format!("load --quiet --input {}", archive.display()));
        podman
    }

    /// Runs podman with arguments that hold no blanks of their own.
    pub fn outcome(&self, arguments: &str) -> Outcome {
        let mut command = Command::new("podman");
        command
            .env("CONTAINERS_CONF", file("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", file("storage.conf"))
            .args(arguments.split_whitespace());
        self.node.output(&mut command)
    }

    /// As [`Podman::outcome`], of what must succeed; what it prints, without the last line break.
    ///
    /// # Panics
    /// When podman fails.
    pub fn say(&self, arguments: &str) -> String {
        let outcome = self.outcome(arguments);
        assert!(outcome.success(), "podman {arguments}: {outcome}");
        outcome.stdout.trim_end().to_owned()
    }

    /// Runs a container that is a [`SERVER`], with further options, as [`Podman::outcome`].
    pub fn run_outcome(&self, name: &str, options: &str) -> Outcome {
        let cgroup = self.cgroup.path();
        self.outcome(&format!(
            "run --detach --name {name} --cgroup-parent {cgroup} --entrypoint {SERVER} {options} {IMAGE}"
        ))
    }

    /// As [`Podman::run_outcome`], of a container that must come to run.
    ///
    /// # Panics
    /// When it does not.
    pub fn run(&self, name: &str, options: &str) -> Place {
        let outcome = self.run_outcome(name, options);
        assert!(outcome.success(), "podman run {options}: {outcome}");
        self.serving(name)
    }

    /// Starts a container that has been stopped.
    ///
    /// # Panics
    /// When it does not come to run.
    pub fn start(&self, name: &str) -> Place {
        self.say(&format!("start {name}"));
        self.serving(name)
    }

    /// A container whose server has begun, as it sees by itself.
    fn serving(&self, name: &str) -> Place {
        let container = self.container(name);
        let own = SocketAddr::from(([127, 0, 0, 1], 80));
        http::until(&container, own, "/", PATIENCE, |answer| {
            answer.status == 200
        });
        container
    }

    /// A running container's network. Whoever keeps it keeps the network namespace alive.
    ///
    /// # Panics
    /// When it does not run.
    pub fn container(&self, name: &str) -> Place {
        let pid = self.pid(name);
        self.node.beside(Path::new(&format!("/proc/{pid}/ns/net")))
    }

    /// The process ID of a running container.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self, name: &str) -> i32 {
        let pid = self.say(&format!("inspect --format {{{{.State.Pid}}}} {name}"));
        let pid = pid.parse().ok().filter(|pid| *pid > 0);
        pid.unwrap_or_else(|| panic!("{name} does not run"))
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome("rm --all --force --time 0");
        if !std::thread::panicking() {
            assert!(outcome.success(), "podman rm: {outcome}");
        }
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}
