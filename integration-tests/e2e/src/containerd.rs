// SPDX-License-Identifier: Apache-2.0
//! containerd on a node of the laboratory, with runc and its own shims, and the CRI to talk to it.

mod cri;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use integration_tests::{Node, Outside, Place, Program, binaries};
use nix::sys::signal::Signal;
use serde_json::Value;

pub use cri::PodConfig;

use crate::calls;
use crate::cgroup::Cgroup;
use crate::image::{IMAGE, image};

/// Where it reads networks.
const NETWORKS: &str = "/run/lab/net.d";
/// Where it listens.
const SOCKET: &str = "/run/containerd/containerd.sock";
/// What it reads.
const CONFIGURATION: &str = "/run/lab/containerd/config.toml";
/// How long it may take to start: half a second alone.
const START: Duration = Duration::from_secs(60);
/// Between two questions whether it is ready. It tells nobody.
const INTERVAL: Duration = Duration::from_millis(20);

/// Whose containerd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// That of the distribution: 1.6 in Debian 12.
    Debian,
    /// That of `integration-tests/go/containerd`.
    Current,
}

/// A node with containerd, and a world outside. It is killed when it is dropped.
#[derive(Debug)]
pub struct Containerd {
    // What runs on the node ends before the node does.
    program: Option<Program>,
    release: Release,
    /// The world outside.
    pub outside: Outside,
    /// The node.
    pub node: Node,
    // And its control group ends after all that was in it.
    cgroup: Cgroup,
}

impl Containerd {
    /// Starts one with a network's configuration, as a file of `/etc/cni/net.d` has it, and the
    /// plugins of a directory, whose calls are written down, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start(release: Release, plugins: &Path, conflist: &str) -> Self {
        let node = Node::new();
        let outside = Outside::new(&node, 1500);
        calls::listen(&node, plugins, conflist);
        node.write(format!("{NETWORKS}/10-network.conflist"), conflist);
        node.write(CONFIGURATION, configuration(release));
        let mut containerd = Self {
            program: None,
            release,
            outside,
            node,
            cgroup: Cgroup::new(),
        };
        containerd.restart();
        containerd.import();
        containerd
    }

    /// Kills it as a power failure would, but for the containers and the plugins.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&self) {
        let program = self.program.as_ref().expect("it has been started");
        program.signal(Signal::SIGKILL);
    }

    /// Waits until no plugin is at work, also of those whose runtime has been killed.
    ///
    /// # Panics
    /// When one goes on for ever.
    pub fn wait_for_plugins(&self) {
        let until = Instant::now() + START;
        loop {
            let processes = self.node.processes();
            if !processes.iter().any(|line| line.contains(calls::DIRECTORY)) {
                return;
            }
            assert!(Instant::now() < until, "{processes:?}");
            std::thread::sleep(INTERVAL);
        }
    }

    /// Starts it, again after [`Containerd::kill`], and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn restart(&mut self) {
        drop(self.program.take());
        let mut command = self.command("containerd");
        command.args(["--config", CONFIGURATION]);
        self.program = Some(Program::start(&self.node, &mut command));
        let until = Instant::now() + START;
        while let Err(error) = self.call("RuntimeService/Status", &Value::Null) {
            assert!(Instant::now() < until, "{error}\n{}", self.log());
            std::thread::sleep(INTERVAL);
        }
    }

    /// Whose it is.
    pub fn release(&self) -> Release {
        self.release
    }

    /// What it has said since its start.
    pub fn log(&self) -> String {
        self.program.as_ref().map(Program::log).unwrap_or_default()
    }

    /// A program of its own release, with which it finds its shim.
    fn command(&self, name: &str) -> Command {
        match self.release {
            Release::Debian => Command::new(name),
            Release::Current => {
                let own = binaries::tool("cluster").join(name);
                let mut path = binaries::tool("cluster").into_os_string();
                path.push(":");
                path.push(std::env::var_os("PATH").unwrap_or_default());
                let mut command = Command::new(own);
                command.env("PATH", path);
                command
            }
        }
    }

    fn import(&self) {
        let archive = image(&self.node, Path::new("/run/lab/image"));
        let mut command = Command::new("ctr");
        command.args(["--namespace", "k8s.io", "images", "import"]);
        let outcome = self.node.output(command.arg(archive));
        assert!(outcome.success(), "ctr: {outcome}");
        // It hears of the image from itself, in its own time.
        let until = Instant::now() + START;
        while !self.has_image() {
            assert!(Instant::now() < until, "no image\n{}", self.log());
            std::thread::sleep(INTERVAL);
        }
    }

    fn has_image(&self) -> bool {
        let request = serde_json::json!({"image": {"image": IMAGE}});
        let answer = self.call("ImageService/ImageStatus", &request);
        answer.is_ok_and(|answer| answer["image"].is_object())
    }

    /// The network of a sandbox.
    ///
    /// # Panics
    /// When the runtime does not say where it is.
    pub fn network(&self, sandbox: &str) -> Place {
        self.node.beside(&self.netns(sandbox))
    }

    /// Calls a method of the CRI.
    ///
    /// # Errors
    /// What the runtime answered instead.
    pub fn call(&self, method: &str, request: &Value) -> Result<Value, String> {
        let request = match request {
            Value::Null => "{}".to_owned(),
            request => request.to_string(),
        };
        let mut command = Command::new(binaries::tool("cluster/grpcurl"));
        command.args(["-plaintext", "-unix", "-connect-timeout", "5"]);
        command.args(["-emit-defaults", "-proto", "api.proto", "-import-path"]);
        command.arg(binaries::tool("cluster"));
        command.args(["-d", &request, SOCKET]);
        let outcome = self
            .node
            .output(command.arg(format!("runtime.v1.{method}")));
        match outcome.success() {
            true => Ok(outcome.json()),
            false => Err(format!("{method}: {}", outcome.stderr)),
        }
    }
}

/// The configuration of a node as `docs/runtimes.md` has it, and what a laboratory needs besides.
fn configuration(release: Release) -> String {
    let (version, runtime, image, directories) = match release {
        Release::Debian => (
            2,
            "io.containerd.grpc.v1.cri",
            format!("sandbox_image = \"{IMAGE}\""),
            format!("bin_dir = \"{}\"", calls::DIRECTORY),
        ),
        Release::Current => (
            3,
            "io.containerd.cri.v1.runtime",
            format!(
                "[plugins.\"io.containerd.cri.v1.images\".pinned_images]\nsandbox = \"{IMAGE}\""
            ),
            format!("bin_dirs = [\"{}\"]", calls::DIRECTORY),
        ),
    };
    format!(
        r#"version = {version}
root = "/run/lab/containerd/root"
state = "/run/lab/containerd/state"
[grpc]
address = "{SOCKET}"
[plugins."{runtime}"]
restrict_oom_score_adj = true
disable_apparmor = true
{image}
[plugins."{runtime}".cni]
{directories}
conf_dir = "{NETWORKS}"
[plugins."{runtime}".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."{runtime}".containerd.runtimes.runc.options]
SystemdCgroup = false
"#
    )
}

/// A conflist that another project's script writes, taken from that script unchanged: what
/// lies between braces after the line that names a conflist.
///
/// # Panics
/// When the script has none.
pub fn conflist_of(script: &str) -> String {
    let path: PathBuf = binaries::tool("cluster").join(script);
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let writes = |line: &str| line.contains("<<") && line.contains(".conflist");
    let lines = text.lines().skip_while(|line| !writes(line));
    let lines = lines.skip_while(|line| *line != "{");
    let lines: Vec<_> = lines.take_while(|line| *line != "}").collect();
    assert!(!lines.is_empty(), "{script} has no conflist");
    format!("{}\n}}\n", lines.join("\n"))
}
