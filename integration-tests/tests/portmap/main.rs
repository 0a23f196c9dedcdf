// SPDX-License-Identifier: Apache-2.0
//! `portmap`: ports of a node that lead to ports of a pod.

mod reach;
mod site;
