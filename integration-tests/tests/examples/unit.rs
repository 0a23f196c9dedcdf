// SPDX-License-Identifier: Apache-2.0
//! The unit of the agent. There is no systemd here: what the unit has it do is done by hand, the
//! command line and the capabilities as they stand there.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use integration_tests::{BRIEFLY, Fleet, Member, PATIENCE, Stack, binaries};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::text;

const UNIT: &str = "overlay/podwired.service";

/// The file that this module tests.
pub(crate) const TESTED: &[&str] = &[UNIT];

/// Where this module listens in the service manager's place.
const NOTIFY: &str = "/run/lab/notify";

/// The value of a setting.
fn setting(name: &str) -> String {
    let unit = text(UNIT);
    let mut lines = unit.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value
        .unwrap_or_else(|| panic!("{UNIT} has no {name}"))
        .to_owned()
}

/// A directory of the member alone, in which the host has none of its files.
fn own_directory(member: &Member, path: &str) {
    member.node.run(|| {
        let tmpfs = Some("tmpfs");
        mount(tmpfs, path, tmpfs, MsFlags::empty(), Some("mode=755"))
            .unwrap_or_else(|errno| panic!("no tmpfs at {path}: {errno}"));
    });
}

/// What `make install` has put there; where the operator has to put the list of nodes.
fn install<'a>(member: &Member, command: &[&'a str]) -> &'a str {
    own_directory(member, "/etc");
    own_directory(member, "/usr/local/bin");
    let built = binaries::plugins().join("podwired");
    member
        .node
        .run(|| symlink(built, command[0]).expect("a fresh directory is writable"));
    let nodes = command.iter().skip_while(|word| **word != "--nodes").nth(1);
    nodes.copied().expect("it names the list")
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts the command with the capabilities that the unit leaves it.
fn start(member: &Member, command: &[&str]) -> Running {
    let capability = setting("CapabilityBoundingSet").to_lowercase();
    let capability = capability.strip_prefix("cap_").expect("one capability");
    let mut limited = Command::new("setpriv");
    limited.args([&format!("--bounding-set=-all,+{capability}"), "--"]);
    limited
        .args(command)
        .env("NOTIFY_SOCKET", NOTIFY)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let child = member.node.run(|| limited.spawn());
    Running(child.expect("setpriv is part of util-linux, as unshare is"))
}

/// The capabilities that a process can use, as a mask.
fn capabilities(Running(process): &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()));
    let status = status.expect("the process is there");
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("CapEff:"));
    u64::from_str_radix(mask.expect("it has capabilities").trim(), 16).expect("a number")
}

#[test]
fn the_agents_unit() {
    assert_eq!(
        (&*setting("Type"), &*setting("Restart")),
        ("notify", "always")
    );
    let line = setting("ExecStart");
    let command: Vec<_> = line.split(' ').collect();
    let fleet = Fleet::new(2, Stack::Dual);
    let member = &fleet.members[0];
    let nodes = install(member, &command);
    member.node.write(nodes, "[]");
    let manager = member.node.run(|| UnixDatagram::bind(NOTIFY)).unwrap();

    let mut agent = start(member, &command);
    let mut word = [0; 64];
    manager.set_read_timeout(Some(BRIEFLY)).unwrap();
    assert!(manager.recv(&mut word).is_err(), "ready without an overlay");
    member.node.write(nodes, fleet.nodes_json());
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = manager.recv(&mut word).expect("it says that it is ready");
    assert_eq!(&word[..length], b"READY=1");
    const CAP_NET_ADMIN: u32 = 12;
    assert_eq!(capabilities(&agent), 1 << CAP_NET_ADMIN);
    let directory = Path::new("/run").join(setting("RuntimeDirectory"));
    let state: Value =
        serde_json::from_str(&member.node.read(directory.join("overlay.json"))).unwrap();
    assert_eq!(
        (&state["converged"], &state["peersProgrammed"]),
        (&true.into(), &1.into())
    );
    let conflist = member.node.read(command.last().unwrap());
    assert!(conflist.contains("10.200.1.0/24"), "{conflist}");

    let pid = Pid::from_raw(agent.0.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(agent.0.wait().unwrap().success());
}
