// SPDX-License-Identifier: Apache-2.0
//! An attachment as it is in the kernel: how it is recognised on the host, and its interfaces. What
//! plugins share that make, change or look at the interfaces of a sandbox.

mod ends;
mod findings;
mod ipv6;
pub mod keys;
mod layer3;
mod lease;
pub mod name;
mod pair;
pub mod removal;
mod sandbox;
pub mod translation;
mod uplink;

pub use ends::Ends;
pub use findings::Findings;
pub use ipv6::refuse_to_end_ipv6;
pub use layer3::{Layer3, forwarding, refuse_own_gateway};
pub use lease::Lease;
pub use pair::{End, NewPair, Pair, ensure_absent};
pub use sandbox::Sandbox;
pub use translation::Translation;
pub use uplink::mtu_of_default_route;
