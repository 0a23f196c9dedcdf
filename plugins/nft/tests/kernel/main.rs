// SPDX-License-Identifier: Apache-2.0
//! The crate against the kernel's nf_tables. Each test runs in network namespaces of its own.

mod lab;
mod masquerade;
mod packets;
mod reference;
mod ruleset;
mod shared_subnets;
mod spoof;
