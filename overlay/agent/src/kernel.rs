// SPDX-License-Identifier: Apache-2.0
//! What the kernel tells of changes, reduced to what matters to the overlay: a pod's veth that
//! comes or goes matters to nobody here.

use std::io;
use std::path::PathBuf;

use net::Event;
use nix::sys::inotify::{AddWatchFlags, InotifyEvent};
use topology::PROTOCOL;

use crate::readable::Readable;
use crate::watches::Watches;

/// `RTPROT_BOOT` and `RTPROT_STATIC` of linux/rtnetlink.h: what people and scripts make may stand in
/// the way of the overlay's routes. Routing daemons' churn waits for the next look.
const MADE_BY_HAND: [u8; 2] = [3, 4];

/// Of a directory: that a file in it is there no more.
const REMOVED: AddWatchFlags = AddWatchFlags::IN_DELETE.union(AddWatchFlags::IN_MOVED_FROM);

/// Subscriptions to the changes of this network namespace.
#[derive(Debug)]
pub(crate) struct Kernel {
    network: Readable<net::Monitor>,
    ruleset: Readable<nft::Monitor>,
    files: Watches,
    /// The files that are kept for others.
    kept: Vec<PathBuf>,
}

/// Of what the kernel told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The overlay's own devices, their settings, its routes, or such as may be in their way.
    pub(crate) overlay: bool,
    /// Other links or addresses of the host.
    pub(crate) host: bool,
    /// Podwire's tables.
    pub(crate) ruleset: bool,
}

/// Why changes cannot be heard of.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Network(#[from] net::Error),
    #[error(transparent)]
    Ruleset(#[from] nft::Error),
    #[error("cannot wait for notifications of the kernel: {0}")]
    Wait(#[from] io::Error),
}

impl Kernel {
    /// `kept` are the files that are kept for others, who might remove them.
    pub(crate) fn subscribe(kept: Vec<PathBuf>) -> Result<Self, Error> {
        Ok(Self {
            network: Readable::new(net::Monitor::open()?)?,
            ruleset: Readable::new(nft::Monitor::open()?)?,
            files: Watches::new()?,
            kept,
        })
    }

    /// Hears of sysctls of the devices with these names, as they are now: nothing but the files
    /// under `/proc/sys` tells that somebody wrote there. Where `/proc` is another one than the
    /// writer's, an audit finds it. Hears of the end of kept files, too.
    pub(crate) fn watch_files<'a>(&mut self, devices: impl Iterator<Item = &'a str>) {
        let directories = devices.flat_map(|name| {
            ["ipv4", "ipv6"].map(|family| format!("/proc/sys/net/{family}/conf/{name}"))
        });
        let sysctls = directories.map(|path| (PathBuf::from(path), AddWatchFlags::IN_MODIFY));
        let of_kept = self.kept.iter().filter_map(|file| file.parent());
        let of_kept = of_kept.map(|path| (path.to_owned(), REMOVED));
        self.files.watch(sysctls.chain(of_kept));
    }

    /// Waits until the kernel tells something. `devices` are the indices of the overlay's own.
    /// It may be given up at any time and asked again.
    pub(crate) async fn hear(&mut self, devices: &[u32]) -> Heard {
        tokio::select! {
            heard = self.network.drained(|monitor| drain(monitor, devices)) => heard,
            told = self.ruleset.drained(nft::Monitor::drain) => Heard {
                // What cannot be read may have been anything.
                ruleset: told.unwrap_or(true),
                ..Heard::default()
            },
            told = self.files.told(|event| concerns(event, &self.kept)) => Heard {
                overlay: told,
                ..Heard::default()
            },
        }
    }
}

/// Whether a sysctl was written, or one of these files is gone.
fn concerns(event: &InotifyEvent, kept: &[PathBuf]) -> bool {
    let name = event.name.as_deref();
    let is_kept = || kept.iter().any(|file| file.file_name() == name);
    event.mask.contains(AddWatchFlags::IN_MODIFY) || (name.is_some() && is_kept())
}

fn drain(monitor: &mut net::Monitor, devices: &[u32]) -> Heard {
    let mut host = false;
    let events = monitor.drain_where(|event| match event {
        Event::Link(index) | Event::Address(index) => {
            let own = devices.contains(&index);
            host |= !own;
            own
        }
        Event::Neighbour(index) => devices.contains(&index),
        Event::Route(protocol) => protocol == PROTOCOL || MADE_BY_HAND.contains(&protocol),
    });
    Heard {
        overlay: !events.is_empty(),
        host,
        ruleset: false,
    }
}
