// SPDX-License-Identifier: Apache-2.0
//! An attachment as it is in the kernel: how it is recognised on the host, and its interfaces. What
//! plugins share that make, change or look at the interfaces of a sandbox.

mod ends;
pub mod name;

pub use ends::Ends;
