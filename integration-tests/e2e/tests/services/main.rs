// SPDX-License-Identifier: Apache-2.0
//! Services over our overlay, with the real kube-proxy on each node: by iptables, and by nftables.

mod bridged;
mod forward;
mod hairpin;
mod nodes;
mod onion;
mod outside;
mod pods;
mod scene;
