// SPDX-License-Identifier: Apache-2.0
//! The plugin `firewall`, by the packets that pass and those that do not, beside what operators and
//! other programs have in the host's firewall.

mod admin;
mod bad;
mod bus;
mod forward;
mod ingress;
mod leftovers;
mod obstacles;
mod reference;
mod site;
mod storm;
