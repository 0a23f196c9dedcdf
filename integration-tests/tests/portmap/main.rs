// SPDX-License-Identifier: Apache-2.0
//! `portmap`: ports of a node that lead to ports of a pod.

mod bad;
mod check;
mod conditions;
mod flows;
mod holders;
mod interop;
mod life;
mod policy;
mod reach;
mod sctp;
mod site;
mod storm;
