// SPDX-License-Identifier: Apache-2.0
//! Another kernel for what the machine's own may lack: Debian's user-mode-linux, an ordinary
//! program that boots in a second, sees the host's files, and runs a test's executable in itself.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use net::{Kind, Mac, NewBridge};
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::sys::utsname::uname;

use crate::binaries;
use crate::execution::{Outcome, finish};
use crate::place::Place;

/// Set for what runs inside.
const INSIDE: &str = "PODWIRE_UML";
/// Where Debian keeps the modules of the kernel inside; the kernel itself can't find them there.
const MODULES: &str = "/usr/lib/uml/modules";
/// What the laboratory and the plugins need that is not built into that kernel.
const NEEDED: [&str; 6] = ["ipv6", "veth", "bridge", "8021q", "nf_tables", "overlay"];

/// Runs the body of a test where the kernel can filter VLANs: here, if this machine's kernel can,
/// else inside user-mode-linux, where the test's executable is started for this one test.
/// `test` is the name of the test function with its modules. Where there is neither, as on other
/// machines than x86_64, the test says so and passes.
///
/// # Panics
/// When the test fails there, or user-mode-linux is not installed.
pub fn with_vlan_filtering(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        load_modules();
        return body();
    }
    if filters_vlans() {
        return body();
    }
    if env::consts::ARCH != "x86_64" {
        eprintln!("{test} did not run: there is user-mode-linux for x86_64 only");
        return;
    }
    let executable = env::current_exe().expect("/proc shows the own executable");
    let plugins = binaries::plugins().display().to_string();
    let arguments = ["--exact", test, "--nocapture", "--test-threads=1"];
    let outcome = run(&executable, &arguments, &[("PODWIRE_PLUGINS", &plugins)]);
    let passed = outcome.success() && outcome.stdout.contains("1 passed");
    assert!(passed, "inside user-mode-linux: {outcome}");
}

/// Boots a kernel, runs a program of the host's file system inside as root, and shuts it down.
/// There is no network but `lo`; `/run` is empty; files that the program writes are the host's.
///
/// # Panics
/// When the kernel does not boot or the program does not come to its end.
pub fn run(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).any(|directory| directory.join("linux.uml").exists());
    assert!(
        installed,
        "user-mode-linux is not installed; `make test` installs it"
    );
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let init = directory.path().join("init");
    let script = script(directory.path(), program, arguments, environment);
    fs::write(&init, script).expect("a new file can be written");
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).expect("it is ours");

    let mut kernel = Command::new("linux.uml");
    kernel.args("mem=512M rootfstype=hostfs rootflags=/ rw quiet".split(' '));
    kernel.args("con=null con0=fd:0,fd:1 con1=null".split(' '));
    kernel.arg(format!("init={}", init.display()));
    // It keeps a directory of its own in HOME, which need not be ours.
    kernel.env("HOME", directory.path());
    let console = finish(&mut kernel, b"");
    let read = |name: &str| fs::read_to_string(directory.path().join(name));
    let status = read("status").unwrap_or_else(|_| panic!("user-mode-linux failed: {console}"));
    Outcome {
        status: status.trim().parse().ok(),
        stdout: read("stdout").unwrap_or_default(),
        stderr: read("stderr").unwrap_or_default(),
    }
}

/// The first process inside: it runs the program and takes down what came of it.
fn script(directory: &Path, program: &Path, arguments: &[&str], env: &[(&str, &str)]) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let path = env::var("PATH").unwrap_or_default();
    let variables = [("PATH", path.as_str()), (INSIDE, "1")];
    let variables = variables.iter().chain(env);
    let exports = variables.map(|(name, value)| format!("export {name}={}\n", quote(value)));
    let program = program.display().to_string();
    let words = [program.as_str()]
        .into_iter()
        .chain(arguments.iter().copied());
    let command: Vec<_> = words.map(quote).collect();
    // Where the host's root is nobody inside, a set-user-ID `mount` would run as nobody: a copy
    // of it has lost that bit.
    format!(
        "#!/bin/sh\n{exports}cd {directory}\ncp \"$(command -v mount)\" mount\n\
         ./mount -t proc proc /proc\n./mount -t sysfs sysfs /sys\n./mount -t tmpfs tmpfs /run\n\
         {command} >stdout 2>stderr\necho $? >status\n\
         sync\necho o >/proc/sysrq-trigger\nsleep 10\n",
        exports = exports.collect::<String>(),
        directory = quote(&directory.display().to_string()),
        command = command.join(" "),
    )
}

/// Loads what the kernel would ask modprobe for, which finds no modules inside.
fn load_modules() {
    let kernel = uname().expect("a kernel has a name");
    let directory = Path::new(MODULES).join(kernel.release());
    let table = fs::read_to_string(directory.join("modules.dep")).expect("Debian's modules");
    for module in NEEDED {
        let file = format!("/{module}.ko:");
        let line = table.lines().find(|line| line.contains(&file));
        let line = line.unwrap_or_else(|| panic!("there is no module {module}"));
        // Each line names a module and, the last one first to be loaded, what it depends on.
        for path in line.split([':', ' ']).filter(|path| !path.is_empty()).rev() {
            let file = fs::File::open(directory.join(path)).expect("modules.dep names files");
            match finit_module(file, c"", ModuleInitFlags::empty()) {
                Ok(()) | Err(nix::Error::EEXIST) => {}
                Err(errno) => panic!("{path}: {errno}"),
            }
        }
    }
}

/// Whether the kernel that this runs on was built with CONFIG_BRIDGE_VLAN_FILTERING.
pub fn filters_vlans() -> bool {
    let rtnl = Place::new().rtnl();
    let mac = Mac::random().expect("the kernel has random numbers");
    let bridge = NewBridge {
        name: "br0",
        mac,
        mtu: None,
        vlan_filtering: true,
        alias: None,
    };
    if rtnl.create_bridge(&bridge).is_err() {
        return false;
    }
    let link = rtnl.link("br0").unwrap_or_else(|error| panic!("{error}"));
    link.is_some_and(|link| {
        matches!(
            link.kind,
            Kind::Bridge {
                vlan_filtering: true,
                ..
            }
        )
    })
}
