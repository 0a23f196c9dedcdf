// SPDX-License-Identifier: Apache-2.0
//! What `make install` installs: static executables that need nothing of the host they run on.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use integration_tests::Execution;
use integration_tests::binaries::{self, PLUGINS};

/// Where each kind of executables is installed, below DESTDIR.
const PLUGIN_DIRECTORY: &str = "opt/cni/bin";
const AGENT: &str = "usr/local/bin/podwired";

/// Installs below a directory of this test executable's own, as a user does.
fn make_install(below: &Path) {
    let mut make = Command::new("make");
    make.current_dir(binaries::workspace())
        .args(["--silent", "install"]);
    make.arg(format!("DESTDIR={}", below.display()));
    // A test has no network, and a `make` that started it is none of this one's business.
    make.env("CARGO_NET_OFFLINE", "true")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL");
    binaries::forget_package(&mut make);
    let output = make.output().expect("make is there, it runs the tests");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The directory that stands for the root of the file system.
fn installed() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
        make_install(&directory);
        directory
    })
}

fn plugin(name: &str) -> PathBuf {
    installed().join(PLUGIN_DIRECTORY).join(name)
}

/// Number of `SIZE` octets at an offset, least significant octet first.
fn number<const SIZE: usize>(file: &[u8], offset: usize) -> usize {
    let octets = file[offset..offset + SIZE].iter().rev();
    octets.fold(0, |number, octet| number << 8 | usize::from(*octet))
}

/// Type, offset and size of each segment of a 64-bit ELF file: Elf64_Ehdr and Elf64_Phdr of the
/// System V ABI.
fn segments(file: &[u8]) -> Vec<(usize, usize, usize)> {
    assert_eq!(
        &file[..6],
        b"\x7fELF\x02\x01",
        "64 bits, least significant octet first"
    );
    let table = number::<8>(file, 0x20);
    let (size, count) = (number::<2>(file, 0x36), number::<2>(file, 0x38));
    let entries = (0..count).map(|index| table + index * size);
    let segment = |at| {
        (
            number::<4>(file, at),
            number::<8>(file, at + 8),
            number::<8>(file, at + 32),
        )
    };
    entries.map(segment).collect()
}

/// Whether an executable wants neither a program interpreter nor a shared library.
fn is_static(file: &[u8]) -> bool {
    const PT_DYNAMIC: usize = 2;
    const PT_INTERP: usize = 3;
    const DT_NEEDED: usize = 1;
    segments(file)
        .into_iter()
        .all(|(kind, offset, size)| match kind {
            PT_INTERP => false,
            PT_DYNAMIC => (offset..offset + size)
                .step_by(16)
                .all(|at| number::<8>(file, at) != DT_NEEDED),
            _ => true,
        })
}

#[test]
fn executables_are_static() {
    for path in PLUGINS
        .map(plugin)
        .into_iter()
        .chain([installed().join(AGENT)])
    {
        let file = fs::read(&path).unwrap();
        assert!(is_static(&file), "{} is linked dynamically", path.display());
    }
    let shell = fs::read("/bin/sh").unwrap();
    assert!(
        !is_static(&shell),
        "the check takes a dynamic executable for a static one"
    );
}

/// The paths of all files below a directory, in order.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

#[test]
fn nothing_else_is_installed() {
    let mut expected = PLUGINS.map(plugin).to_vec();
    expected.push(installed().join(AGENT));
    assert_eq!(files(installed()), expected);
}

/// What a program prints that succeeds.
fn finish(command: &mut Command) -> String {
    let output = command.output().expect("it can be executed");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn executables_say_what_they_are_without_an_environment() {
    for name in PLUGINS {
        let outcome = Execution::new(plugin(name)).without("PATH").run_here();
        assert!(
            outcome.success() && outcome.stdout.is_empty(),
            "{name}: {outcome}"
        );
        assert!(outcome.stderr.contains(name), "{name}: {outcome}");
    }
    let outcome = finish(
        Command::new(installed().join(AGENT))
            .arg("--version")
            .env_clear(),
    );
    assert_eq!(
        outcome,
        concat!("podwired ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn running_executables_can_be_replaced() {
    let directory = tempfile::tempdir().unwrap();
    make_install(directory.path());
    let bin = directory.path().join(PLUGIN_DIRECTORY);
    let mut plugin = Command::new(bin.join("host-local"))
        .env("CNI_COMMAND", "STATUS")
        .env("CNI_PATH", &bin)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();

    make_install(directory.path());
    let before = fs::read_link(format!("/proc/{}/exe", plugin.id())).unwrap();
    assert!(
        before.to_string_lossy().ends_with(" (deleted)"),
        "{}",
        before.display()
    );
    plugin.stdin.take().unwrap().write_all(b"garbage").unwrap();
    let output = plugin.wait_with_output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("\"code\""),
        "{output:?}"
    );
}
