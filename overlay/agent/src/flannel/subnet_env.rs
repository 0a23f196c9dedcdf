// SPDX-License-Identifier: Apache-2.0
//! `subnet.env`, from which the plugin `flannel` learns what the node's pods need.

use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnetwork::IpNetwork;

use crate::replace::replace;

/// The file, kept up to date.
#[derive(Debug)]
pub(crate) struct SubnetEnvFile(pub(crate) PathBuf);

impl SubnetEnvFile {
    /// Sees to it that the file says this. Says whether it had to be written.
    pub(crate) fn ensure(&self, content: &SubnetEnv) -> Result<bool, String> {
        let content = content.to_string();
        if fs::read_to_string(&self.0).is_ok_and(|present| present == content) {
            return Ok(false);
        }
        let said = |error: io::Error| format!("cannot write {}: {error}", self.0.display());
        replace(&self.0, &content).map_err(said)?;
        Ok(true)
    }
}

/// What the file says; IPv4 first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SubnetEnv {
    /// The networks of all pods.
    pub(crate) networks: [Vec<IpNetwork>; 2],
    /// The networks of this node's pods; in the file with the first address in them.
    pub(crate) subnets: [Option<IpNetwork>; 2],
    /// The pods' MTU in bytes.
    pub(crate) mtu: Option<u32>,
    /// Whether the node's agent masquerades.
    pub(crate) ip_masq: bool,
}

const NETWORK_KEYS: [&str; 2] = ["FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK"];
const SUBNET_KEYS: [&str; 2] = ["FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"];

impl SubnetEnv {
    /// The file that is there; none if there is none that can be read.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        fs::read_to_string(path).ok().map(|text| Self::parse(&text))
    }

    /// What is to be said of a node's pods. Of several networks the one that holds them comes first: who
    /// reads but one reads that. Pods need routes to all of them.
    pub(crate) fn new(
        network: &[IpNetwork],
        pod_cidrs: &[IpNetwork],
        mtu: u32,
        ip_masq: bool,
    ) -> Self {
        let mut said = Self {
            mtu: Some(mtu),
            ip_masq,
            ..Self::default()
        };
        for (index, is_ipv4) in [(0, true), (1, false)] {
            let subnet = pod_cidrs.iter().find(|it| it.is_ipv4() == is_ipv4);
            let Some(subnet) = subnet else { continue };
            let networks = &mut said.networks[index];
            networks.extend(network.iter().filter(|it| it.is_ipv4() == is_ipv4));
            networks.sort_by_key(|outer| !outer.contains(subnet.ip()));
            said.subnets[index] = Some(*subnet);
        }
        said
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut said = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
            for index in [0, 1] {
                if key == NETWORK_KEYS[index] {
                    let networks = value.split(',').filter_map(|it| it.trim().parse().ok());
                    said.networks[index] = networks.map(without_host_bits).collect();
                } else if key == SUBNET_KEYS[index] {
                    said.subnets[index] = value.parse().ok().map(without_host_bits);
                }
            }
            match key {
                "FLANNEL_MTU" => said.mtu = value.parse().ok(),
                "FLANNEL_IPMASQ" => said.ip_masq = value == "true",
                _ => {}
            }
        }
        said
    }
}

impl fmt::Display for SubnetEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for index in [0, 1] {
            let Some(subnet) = self.subnets[index] else {
                continue;
            };
            let networks: Vec<_> = self.networks[index]
                .iter()
                .map(IpNetwork::to_string)
                .collect();
            writeln!(f, "{}={}", NETWORK_KEYS[index], networks.join(","))?;
            let (first, length) = (first_host(subnet), subnet.prefix());
            writeln!(f, "{}={first}/{length}", SUBNET_KEYS[index])?;
        }
        if let Some(mtu) = self.mtu {
            writeln!(f, "FLANNEL_MTU={mtu}")?;
        }
        let mut ip_masq = String::new();
        write!(ip_masq, "{}", self.ip_masq)?;
        writeln!(f, "FLANNEL_IPMASQ={ip_masq}")
    }
}

/// The address behind the network's own; a network of one address has none but that.
fn first_host(network: IpNetwork) -> IpAddr {
    match network {
        IpNetwork::V4(it) => {
            let first = u32::from(it.network()).saturating_add(u32::from(it.prefix() < 32));
            IpAddr::V4(first.into())
        }
        IpNetwork::V6(it) => {
            let first = u128::from(it.network()).saturating_add(u128::from(it.prefix() < 128));
            IpAddr::V6(first.into())
        }
    }
}

fn without_host_bits(network: IpNetwork) -> IpNetwork {
    IpNetwork::new(network.network(), network.prefix()).expect("the prefix that it has")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn networks<const N: usize>(texts: [&str; N]) -> Vec<IpNetwork> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    const FLANNELS: &str = "FLANNEL_NETWORK=10.244.0.0/16,10.0.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\n\
        FLANNEL_IPV6_NETWORK=fd00:244::/48\nFLANNEL_IPV6_SUBNET=fd00:244:0:3::1/64\n\
        FLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n";

    #[test]
    fn it_is_written_as_flannel_writes_it_and_read_back() {
        let network = networks(["10.0.0.0/16", "10.244.0.0/16", "fd00:244::/48"]);
        let pods = networks(["10.244.3.0/24", "fd00:244:0:3::/64"]);
        let said = SubnetEnv::new(&network, &pods, 1430, true);
        assert_eq!(said.to_string(), FLANNELS);
        assert_eq!(SubnetEnv::parse(FLANNELS), said);
        let four = SubnetEnv::new(&network, &pods[..1], 1450, false);
        let text = four.to_string();
        assert!(!text.contains("IPV6") && text.ends_with("FLANNEL_IPMASQ=false\n"));
        assert_eq!(SubnetEnv::parse(&text), four);
    }

    #[test]
    fn what_cannot_be_read_is_as_if_it_was_not_there() {
        let said = SubnetEnv::parse("FLANNEL_SUBNET=?\n=\nFLANNEL_MTU\nFLANNEL_NETWORK=1,::/0\r\n");
        assert_eq!(said.networks[0], networks(["::/0"]));
        assert_eq!(
            (said.subnets, said.mtu, said.ip_masq),
            ([None; 2], None, false)
        );
    }

    #[test]
    fn it_is_rewritten_on_change_or_when_it_was_removed_and_not_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = SubnetEnvFile(directory.path().join("flannel/subnet.env"));
        let mut said = SubnetEnv::parse(FLANNELS);
        for (mtu, written) in [(1430, true), (1430, false), (1400, true)] {
            said.mtu = Some(mtu);
            assert_eq!(file.ensure(&said), Ok(written));
        }
        fs::remove_file(&file.0).unwrap();
        assert_eq!(file.ensure(&said), Ok(true));
        assert_eq!(SubnetEnv::read(&file.0), Some(said));
        let mode = fs::metadata(&file.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }
}
