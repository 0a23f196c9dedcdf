// SPDX-License-Identifier: Apache-2.0
//! A place where code and programs of a test can run: a network namespace together with a view of
//! the file system. Code runs on a thread of its own that has entered both, so any number of
//! places serve one test at the same time, and no thread of the test is ever in a wrong one.

use std::any::Any;
use std::fs::File;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::execution::{Outcome, finish};

/// A network namespace and a mount namespace, both kept alive by descriptors.
#[derive(Clone, Debug)]
pub struct Place {
    net: Arc<File>,
    mounts: Arc<File>,
}

impl Place {
    /// New namespaces: a network with nothing but `lo`, and a copy of the caller's mounts of
    /// which no change is seen outside.
    pub(crate) fn new() -> Self {
        on_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect(
                "the laboratory needs namespaces of its own; run it by cargo, whose runner \
                 (.cargo/config.toml) makes them, or as root",
            );
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
                .expect("the mounts of a new namespace can be made private");
            Self {
                net: own_namespace("net"),
                mounts: own_namespace("mnt"),
            }
        })
    }

    /// Another network namespace with this place's view of the file system; `name_it` runs inside
    /// before anything else does.
    pub(crate) fn with_new_network(&self, name_it: impl FnOnce() + Send) -> Self {
        self.run(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace can be made");
            name_it();
            Self {
                net: own_namespace("net"),
                mounts: Arc::clone(&self.mounts),
            }
        })
    }

    /// The network namespace at `path`, for example a container's, with this place's view of the
    /// file system. It lives as long as this value at least.
    ///
    /// # Panics
    /// When there is no such namespace.
    pub fn beside(&self, path: &Path) -> Self {
        let net = self.run(|| File::open(path));
        let net = net.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            net: Arc::new(net),
            mounts: Arc::clone(&self.mounts),
        }
    }

    /// Runs `f` here and waits for it. A panic in `f` goes on in the caller.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        on_thread(|| {
            self.enter();
            f()
        })
    }

    /// Starts `f` here; the thread ends by itself or not at all.
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let place = self.clone();
        thread::spawn(move || {
            place.enter();
            f()
        })
    }

    /// Runs a program here to its end; a program that does not end within two minutes is killed,
    /// and the test fails.
    pub fn output(&self, command: &mut Command) -> Outcome {
        self.run(|| finish(command, b""))
    }

    /// What `ip` of iproute2 prints here for `arguments`, which hold no blanks of their own.
    ///
    /// # Panics
    /// When `ip` fails.
    pub fn ip(&self, arguments: &str) -> String {
        self.tool("ip", arguments)
    }

    /// As [`Place::ip`], for any program that the test command installs (`bridge`, `nft`, ...).
    ///
    /// # Panics
    /// When the program is not there or fails.
    pub fn tool(&self, program: &str, arguments: &str) -> String {
        let outcome = self.output(Command::new(program).args(arguments.split_whitespace()));
        assert!(outcome.success(), "{program} {arguments}: {outcome}");
        outcome.stdout
    }

    /// The inode of the namespace of one kind as `/proc/PID/ns` shows it.
    pub(crate) fn namespace_links(&self) -> [String; 2] {
        self.run(|| {
            ["net", "mnt"].map(|kind| {
                let link = std::fs::read_link(format!("/proc/thread-self/ns/{kind}"));
                link.expect("/proc shows a thread's own namespaces")
                    .display()
                    .to_string()
            })
        })
    }

    fn enter(&self) {
        unshare(CloneFlags::CLONE_FS).expect("a thread can have a working directory of its own");
        setns(&*self.mounts, CloneFlags::CLONE_NEWNS).expect("the mount namespace can be entered");
        setns(&*self.net, CloneFlags::CLONE_NEWNET).expect("the network namespace can be entered");
    }
}

/// Runs `f` on a thread that ends with it, so that what `f` does to its thread is gone too.
fn on_thread<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    let ended: Result<T, Box<dyn Any + Send>> = thread::scope(|scope| scope.spawn(f).join());
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

fn own_namespace(kind: &str) -> Arc<File> {
    let path = format!("/proc/thread-self/ns/{kind}");
    Arc::new(File::open(path).expect("/proc shows a thread's own namespaces"))
}
