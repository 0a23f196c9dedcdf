// SPDX-License-Identifier: Apache-2.0
//! Where the executables under test and the programs that drive them are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The plugins that `make install` installs; `podwired` is there besides.
pub const PLUGINS: [&str; 11] = [
    "bandwidth",
    "bridge",
    "firewall",
    "flannel",
    "host-local",
    "loopback",
    "portmap",
    "ptp",
    "static",
    "tuning",
    "vxlan",
];

/// The directory of the plugins under test: PODWIRE_PLUGINS where it is set (to point the same
/// tests at other plugins), else Podwire's own, built once by this process as the test itself is
/// built.
///
/// # Panics
/// When they can't be built.
pub fn plugins() -> &'static Path {
    static PLUGINS: OnceLock<PathBuf> = OnceLock::new();
    PLUGINS.get_or_init(|| match env::var_os("PODWIRE_PLUGINS") {
        Some(directory) => directory.into(),
        None => build(),
    })
}

/// The CNI project's own plugins, written in Go; `make tools` builds them.
///
/// # Panics
/// When they have not been built.
pub fn go_plugins() -> PathBuf {
    tool("go-plugins")
}

/// A program of `make tools`, for example `cnitool`.
///
/// # Panics
/// When it has not been built.
pub fn tool(name: &str) -> PathBuf {
    let path = workspace().join("target/tools").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `make tools`",
        path.display()
    );
    path
}

/// The workspace's directory.
pub fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("this crate is a member of a workspace")
}

/// Takes from a command that leads to cargo what cargo told this process of its own package: a
/// dependency whose build looks at it would be built anew for each package that has tests.
pub fn forget_package(command: &mut Command) {
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars().filter(|(name, _)| told(name)) {
        command.env_remove(name);
    }
}

/// Builds all executables for the target that this process is built for, offline, because a test
/// has no network, and returns their directory.
fn build() -> PathBuf {
    let triple = format!("{}-unknown-linux-musl", env::consts::ARCH);
    let target = target_directory();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace());
    forget_package(&mut cargo);
    cargo.args(["build", "--offline", "--quiet", "--workspace", "--bins"]);
    // It has none, and what it asks of dependencies is not what is shipped.
    cargo.args(["--exclude", "e2e-tests"]);
    cargo
        .args(["--target", &triple, "--target-dir"])
        .arg(&target);
    let status = cargo
        .status()
        .unwrap_or_else(|error| panic!("cargo: {error}"));
    assert!(status.success(), "the plugins can't be built");
    target.join(triple).join("debug")
}

/// Cargo's target directory: the outermost directory around this executable that cargo has marked.
fn target_directory() -> PathBuf {
    let own = env::current_exe().expect("/proc shows the own executable");
    let marked = own
        .ancestors()
        .filter(|ancestor| ancestor.join("CACHEDIR.TAG").exists());
    marked
        .last()
        .expect("a test executable lies in cargo's target directory")
        .to_owned()
}
