// SPDX-License-Identifier: Apache-2.0
//! The CNI protocol, versions 0.1.0 to 1.1.0: a call in, a result or an error out.
//!
//! A plugin implements [`Plugin`] and its `main` is [`run`]. Everything that the specification
//! demands of a call is checked before the plugin's code sees it, so that nothing has been changed
//! when a call is refused. Nothing here touches the kernel's network state.

use dlmalloc::GlobalDlmalloc;

mod call;
mod cidr;
mod delegate;
mod environment;
mod error;
mod fold;
mod network;
mod result;
mod run;
mod sandbox;
mod verb;
mod version;
mod warn;
mod wire;

pub use call::{Add, Attachment, Call, Check, Del, Gc, Status};
pub use cidr::Cidr;
pub use delegate::{Delegate, FailedAdd, RunningAdd};
pub use error::{Code, Error, OrCode};
pub use network::Network;
pub use result::{AddResult, Dns, Interface, Ip, Route};
pub use run::{Plugin, run};
pub use version::Version;
pub use warn::warn;

/// The allocator of every plugin. musl's asks the kernel for most of what is larger than some
/// thousand bytes, and gives it back at once: for an answer of netlink that is a dozen system
/// calls, and a third of the time of a call that only looks.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;
