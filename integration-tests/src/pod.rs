// SPDX-License-Identifier: Apache-2.0
//! A pod: the network namespace that a runtime makes for it, by the name that it passes to plugins.

use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::place::Place;

/// A named network namespace of a node. It is a [`Place`]: code and programs run in it, with the
/// node's files.
#[derive(Debug)]
pub struct Pod {
    place: Place,
    node: Place,
    name: String,
}

impl Pod {
    /// A namespace bound to `/run/netns/NAME` of the node; the same as `ip netns add NAME`.
    pub(crate) fn new(node: &Place, name: &str) -> Self {
        let path = path_of(name);
        let place = node.with_new_network(|| {
            File::create(&path).expect("/run/netns is writable");
            let own = Some("/proc/thread-self/ns/net");
            mount(own, &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .expect("a namespace can be bound to a file");
        });
        Self {
            place,
            node: node.clone(),
            name: name.to_owned(),
        }
    }

    /// The pod's name, which is its container ID too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What CNI_NETNS is for this pod.
    pub fn netns(&self) -> PathBuf {
        path_of(&self.name)
    }

    /// Ends the namespace as a runtime does it, without a DEL before, and returns the path that
    /// leads nowhere now. The kernel takes the interfaces away a little later.
    pub fn vanish(self) -> PathBuf {
        self.netns()
    }

    /// Ends the namespace and leaves a plain file in its place, as a reboot without a fresh
    /// `/run` or an interrupted runtime does.
    pub fn become_plain_file(self) -> PathBuf {
        let (node, path) = (self.node.clone(), self.netns());
        drop(self);
        node.run(|| File::create(&path).expect("/run/netns is writable"));
        path
    }
}

impl Deref for Pod {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let path = self.netns();
        self.node.run(|| {
            umount2(&path, MntFlags::MNT_DETACH).ok();
            fs::remove_file(&path).ok();
        });
    }
}

fn path_of(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}
