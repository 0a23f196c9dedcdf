// SPDX-License-Identifier: Apache-2.0
//! The overlay in the real kernel: nodes are network namespaces, joined by a bridge.
#![cfg(test)]

mod crossing;
mod damage;
mod devices;
mod direct;
mod following;
mod foreign;
mod ground;
mod guard;
mod halves;
mod lab;
mod packets;
mod partial;
mod read_only;
mod removal;
mod underlays;
