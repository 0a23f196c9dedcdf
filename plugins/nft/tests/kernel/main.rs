// SPDX-License-Identifier: Apache-2.0
//! The crate against the kernel's nf_tables. Each test runs in network namespaces of its own.

#[cfg(test)]
mod flannel;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod masquerade;
#[cfg(test)]
mod monitor;
#[cfg(test)]
mod overlay;
#[cfg(test)]
mod overlay_packets;
#[cfg(test)]
mod packets;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod ruleset;
#[cfg(test)]
mod shared_subnets;
#[cfg(test)]
mod spoof;
#[cfg(test)]
mod subnets;
