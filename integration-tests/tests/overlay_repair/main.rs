// SPDX-License-Identifier: Apache-2.0
//! What `podwired` repairs, in nodes of the laboratory whose pods talk meanwhile.
//!
//! Whatever is done to a node is done while its agent is held, so that the test sees the damage,
//! and `podwired status` has to name it; then the agent goes on, and hears of all of it at once.

mod device;
mod direct;
mod lab;
mod list;
mod many;
mod peers;
mod restart;
mod rules;
mod underlay;
