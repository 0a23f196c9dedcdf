// SPDX-License-Identifier: Apache-2.0
//! Flannel's rules, made by the real `iptables`, give way to the agent's, and the other way round:
//! while pods talk to each other and to the world, on nodes whose firewall drops what no rule
//! accepts.

#[cfg(test)]
mod lab;
#[cfg(test)]
mod place;
#[cfg(test)]
mod rules;
