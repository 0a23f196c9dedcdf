// SPDX-License-Identifier: Apache-2.0
//! The command line.

mod cluster;
mod doctor;
mod flannel;
mod install;
mod service;
mod status;

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use dataplane::Origin;
use ipnetwork::IpNetwork;
use topology::{Settings, Vni};

pub(crate) use cluster::{Cluster, From};
pub(crate) use doctor::Doctor;
pub(crate) use flannel::{Flannel, SUBNET_ENV};
pub(crate) use install::Install;
pub(crate) use service::{LogFormat, Service};
pub(crate) use status::{STATE, StateOption, Status};

/// Keeps this node's part of the VXLAN overlay between pods equal to a list of nodes.
#[derive(Debug, Parser)]
#[command(name = "podwired", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Programs the overlay and repairs it until SIGTERM; the overlay stays then.
    Run(Box<Run>),
    /// Says how the overlay is; exit status 0 when pods can use it.
    Status(Status),
    /// Says what of this host keeps pods from what they need, a line each; exit status 0 when nothing.
    Doctor(Doctor),
    /// Removes the overlay from this node.
    Cleanup(Cleanup),
    /// Copies the plugins to where the host's runtime looks for them.
    Install(Install),
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) source: From,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    /// This node's name in the list [default: with --kubernetes $NODE_NAME, else that of the entry
    /// with an address of this node; else the host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) overlay: Overlay,
    /// The MTU of the underlay, when it is less than that of its link
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<NonZeroU32>,
    /// The UDP port of encapsulated packets [default: 8472]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) port: Option<NonZeroU16>,
    /// The link that encapsulated packets leave by [default: the one with this node's underlay
    /// address]
    #[arg(long, value_name = "LINK")]
    pub(crate) underlay: Option<String>,
    /// Send to peers in the node's own subnet without encapsulation
    #[arg(long)]
    pub(crate) direct_routing: bool,
    /// Take encapsulated packets from anybody, not only from known peers
    #[arg(long)]
    pub(crate) no_source_filter: bool,
    #[command(flatten)]
    pub(crate) flannel: Flannel,
    #[command(flatten)]
    pub(crate) state: StateOption,
    /// Write this conflist once the overlay is usable
    #[arg(long, value_name = "FILE")]
    pub(crate) conflist: Option<PathBuf>,
    /// A conflist whose gaps are filled [default: bridge with host-local, and vxlan]
    #[arg(long, value_name = "FILE", requires = "conflist")]
    pub(crate) conflist_template: Option<PathBuf>,
    /// Look at everything at least this often, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds(1))]
    pub(crate) audit_interval: u64,
    /// Believe a list without any peer, where there were some, when it says the same after so
    /// many seconds
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds(1))]
    pub(crate) confirm_after: u64,
    #[command(flatten)]
    pub(crate) service: Service,
}

#[derive(Args, Debug)]
pub(crate) struct Cleanup {
    #[command(flatten)]
    pub(crate) state: StateOption,
    #[command(flatten)]
    pub(crate) overlay: Overlay,
    /// Keep flannel's device with what leads to the peers, and make the routes flannel's again: after
    /// flanneld has begun, and while pods talk
    #[arg(long)]
    pub(crate) keep_device: bool,
    /// Remove this conflist, too
    #[arg(long, value_name = "FILE")]
    pub(crate) conflist: Option<PathBuf>,
}

/// Which overlay it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Overlay {
    /// A network that holds all nodes' pods; several with the option repeated [default: for run
    /// what the list says, for cleanup what the state says]
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pub(crate) network: Vec<IpNetwork>,
    /// The VXLAN network identifier [default: for run 1, for cleanup what the state says]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) vni: Option<Vni>,
    /// The device is flannel's: run takes it and its routes over, cleanup removes them
    #[arg(long)]
    pub(crate) take_over_flannel: bool,
}

impl Run {
    /// The settings as far as the command line has them: the list may add the network.
    pub(crate) fn settings(&self) -> Settings {
        let default = Settings::default();
        Settings {
            network: self.overlay.network.clone(),
            vni: self.overlay.vni.unwrap_or(default.vni),
            port: self.port.unwrap_or(default.port),
            mtu: self.mtu,
            underlay: self.underlay.clone(),
            direct_routing: self.direct_routing,
            source_filter: !self.no_source_filter,
        }
    }
}

impl Overlay {
    pub(crate) fn origin(&self) -> Origin {
        origin(self.take_over_flannel)
    }
}

pub(crate) fn origin(takes_over: bool) -> Origin {
    if takes_over {
        Origin::Flannel
    } else {
        Origin::Own
    }
}

/// A time of up to a day.
fn seconds(least: u64) -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(least..=86_400)
}

/// A network as a configuration writes it.
pub(crate) fn cidr(text: &str) -> Result<IpNetwork, serde_json::Error> {
    let settings: Settings = serde_json::from_value(serde_json::json!({ "network": [text] }))?;
    Ok(settings.network[0])
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &str) -> Result<Run, String> {
        let words = ["podwired", "run"].into_iter().chain(words.split(' '));
        match Cli::try_parse_from(words) {
            Ok(Cli {
                command: Command::Run(run),
            }) => Ok(*run),
            Ok(_) => unreachable!("the words say run"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_settings() {
        let run = parse("--nodes /etc/podwire/nodes.json").unwrap();
        assert!(!run.source.kubernetes);
        assert_eq!(run.settings(), Settings::default());
        assert_eq!(run.overlay.origin(), Origin::Own);
        assert_eq!(run.state.state, PathBuf::from(STATE));
    }

    #[test]
    fn every_setting_has_its_option() {
        let run = parse(
            "--nodes n --network 10.200.0.1/16 --network fd00::/48 --vni 7 --port 4789 --mtu 1400 \
             --underlay eth1 --direct-routing --no-source-filter --take-over-flannel",
        )
        .unwrap();
        let json = r#"{"network": ["10.200.0.0/16", "fd00::/48"], "vni": 7, "port": 4789,
            "mtu": 1400, "underlay": "eth1", "directRouting": true, "sourceFilter": false}"#;
        let settings: Settings = serde_json::from_str(json).unwrap();
        assert_eq!(run.settings(), settings);
        assert_eq!(run.overlay.origin(), Origin::Flannel);
    }

    #[test]
    fn flannels_configuration_says_what_the_options_leave_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("net-conf.json");
        let text = r#"{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": 5,
            "Port": 4789, "MTU": 1400, "DirectRouting": true}}"#;
        std::fs::write(&path, text).unwrap();
        let settings = |words: &str| {
            let words = format!("--nodes n --net-conf {} {words}", path.display());
            let run = parse(words.trim()).unwrap().with_net_conf();
            serde_json::to_value(run.unwrap().settings()).unwrap()
        };
        let all = serde_json::json!({"network": ["10.244.0.0/16"], "vni": 5, "port": 4789,
            "mtu": 1400, "directRouting": true, "sourceFilter": true});
        assert_eq!(settings(""), all);
        let given = settings("--network 10.0.0.0/8 --vni 1 --port 8472 --mtu 1300");
        let mut expected = all;
        for (key, value) in [
            ("network", serde_json::json!(["10.0.0.0/8"])),
            ("vni", 1.into()),
            ("port", 8472.into()),
            ("mtu", 1300.into()),
        ] {
            expected[key] = value;
        }
        assert_eq!(given, expected);
    }

    #[test]
    fn flannels_file_is_kept_where_its_place_is_taken() {
        let path = |words: &str| parse(words).unwrap().subnet_env().map(PathBuf::from);
        assert_eq!(path("--nodes n"), None);
        let default = Some("/run/flannel/subnet.env".into());
        assert_eq!(path("--nodes n --take-over-flannel"), default);
        for words in [
            "--nodes n --subnet-env s",
            "--nodes n --subnet-env s --take-over-flannel",
        ] {
            assert_eq!(path(words), Some("s".into()));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (words, expected) in [
            ("--network 10.0.0.0/16", "--nodes"),
            ("--nodes n --network 10.0.0.0", "10.0.0.0"),
            ("--nodes n --vni 16777216", "16777216"),
            ("--nodes n --port 65536", "65536"),
            ("--nodes n --port 0", "--port"),
            ("--nodes n --audit-interval 0", "--audit-interval"),
            ("--nodes n --audit-interval 18446744073709551615", "86400"),
            ("--nodes n --confirm-after 18446744073709551615", "86400"),
            ("--nodes n --conflist-template t", "--conflist"),
            ("--nodes n --log-level loud", "loud"),
            ("--nodes n --http 8474", "ADDRESS:PORT"),
            ("--nodes n --kubernetes", "--kubernetes"),
            ("--nodes n --kubeconfig k", "--kubeconfig"),
            ("--nodes n --remove-taint k", "--remove-taint"),
            ("--kubernetes --start-jitter 86401", "86400"),
            ("--nodes n --non-masquerade-cidr 192.0.2.0/24", "--ip-masq"),
            (
                "--nodes n --ip-masq --non-masquerade-cidr 192.0.2.0",
                "192.0.2.0",
            ),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(expected), "{words}: {error}");
        }
    }
}
