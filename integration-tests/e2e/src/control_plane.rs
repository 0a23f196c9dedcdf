// SPDX-License-Identifier: Apache-2.0
//! A control plane: etcd and kube-apiserver, the real ones, on a host of the underlay.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use integration_tests::{Fleet, Node, Program, Stack, binaries};
use nix::sys::signal::Signal;

use crate::authority::{Authority, key};
use crate::kubeconfig::{Kubeconfig, User};
use crate::kubernetes::Kubernetes;

/// The host's number on the underlay.
const HOST: u8 = 200;
/// The port at which the API is.
const PORT: u16 = 6443;
/// Where the host keeps everything; it is gone with the host.
const DIRECTORY: &str = "/run/control-plane";
/// The token of the one who may do everything.
const ADMINISTRATOR: &str = "administrator";
/// How long an API server may take to start: it takes three seconds alone, and the machine may
/// have much to do.
const START: Duration = Duration::from_secs(120);
/// Between two questions whether it is ready. It tells nobody.
const INTERVAL: Duration = Duration::from_millis(20);

/// A running control plane. It is killed when it is dropped, and leaves nothing.
#[derive(Debug)]
pub struct ControlPlane {
    // What runs on the host ends before the host does.
    api: Option<Program>,
    _etcd: Program,
    /// The host: 192.0.2.200 and 2001:db8:1::200.
    pub host: Node,
    /// Who signs its certificates.
    pub authority: Authority,
    addresses: Vec<IpAddr>,
    stack: Stack,
    args: Vec<String>,
}

impl ControlPlane {
    /// Starts one on the fleet's underlay and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start(fleet: &Fleet) -> Self {
        Self::with_args(fleet, &[])
    }

    /// As [`ControlPlane::start`], with more arguments of kube-apiserver's.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn with_args(fleet: &Fleet, args: &[&str]) -> Self {
        let host = fleet.add_host(HOST);
        let mut control_plane = Self {
            _etcd: etcd(&host),
            addresses: host.all_addresses(),
            host,
            authority: Authority::new(),
            stack: fleet.stack(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            api: None,
        };
        control_plane.write_credentials();
        control_plane.resume_service();
        control_plane
    }

    /// Kills the API server as a power failure would. Its data stay.
    pub fn stop(&mut self) {
        drop(self.api.take());
    }

    /// Starts the API server again, after [`ControlPlane::stop`].
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn resume_service(&mut self) {
        self.stop();
        let mut command = Command::new(binaries::tool("cluster/kube-apiserver"));
        command.args(self.arguments()).args(&self.args);
        self.api = Some(Program::start(&self.host, &mut command));
        self.wait_until_ready();
    }

    /// Lets the API server stand still: connections stay, nobody answers.
    ///
    /// # Panics
    /// When it is not running.
    pub fn freeze(&self) {
        self.api().signal(Signal::SIGSTOP);
    }

    /// The opposite of [`ControlPlane::freeze`].
    ///
    /// # Panics
    /// When it is not running.
    pub fn thaw(&self) {
        self.api().signal(Signal::SIGCONT);
    }

    /// Makes a new key for the tokens of service accounts: from its next start on the API server
    /// takes none that it has given before.
    pub fn renew_token_key(&self) {
        let key = key();
        let write = |name: &str, text: String| self.host.write(format!("{DIRECTORY}/{name}"), text);
        write("token.key", key.serialize_pem());
        write("token.pub", key.public_key_pem());
    }

    /// Where the API is, IPv4 first.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.addresses[0], PORT)
    }

    /// What a client has to read to be this user.
    pub fn kubeconfig(&self, user: User) -> Kubeconfig {
        Kubeconfig {
            server: format!("https://{}", self.address()),
            authority: self.authority.certificate(),
            user,
        }
    }

    /// A client, on the control plane's own host, that may do everything.
    ///
    /// # Panics
    /// When there is no way to talk to the API.
    pub fn client(&self) -> Kubernetes {
        Kubernetes::new(&self.host, &self.kubeconfig(self.administrator()))
    }

    /// The user who may do everything.
    pub fn administrator(&self) -> User {
        User::Token(ADMINISTRATOR.to_owned())
    }

    /// What the API server has said since its start.
    ///
    /// # Panics
    /// When it is not running.
    pub fn log(&self) -> String {
        self.api().log()
    }

    /// The process ID of the API server.
    ///
    /// # Panics
    /// When it is not running.
    pub fn pid(&self) -> u32 {
        self.api().pid()
    }

    fn api(&self) -> &Program {
        self.api.as_ref().expect("the API server is running")
    }

    fn write_credentials(&self) {
        let write = |name: &str, text: String| self.host.write(format!("{DIRECTORY}/{name}"), text);
        let server = self.authority.server(&self.addresses);
        write("authority.crt", self.authority.certificate());
        write("server.crt", server.certificate);
        write("server.key", server.key);
        let administrator = format!("{ADMINISTRATOR},administrator,administrator,system:masters\n");
        write("tokens.csv", administrator);
        self.renew_token_key();
    }

    fn arguments(&self) -> Vec<String> {
        let (any, services) = match self.stack {
            Stack::V4 => ("0.0.0.0", "10.96.0.0/16"),
            Stack::V6 => ("::", "fd00:96::/108"),
            Stack::Dual => ("::", "10.96.0.0/16,fd00:96::/108"),
        };
        let file = |name: &str| format!("{DIRECTORY}/{name}");
        let arguments = [
            ("etcd-servers", "http://127.0.0.1:2379".to_owned()),
            ("bind-address", any.to_owned()),
            ("advertise-address", self.addresses[0].to_string()),
            ("secure-port", PORT.to_string()),
            ("service-cluster-ip-range", services.to_owned()),
            ("cert-dir", file("certificates")),
            ("tls-cert-file", file("server.crt")),
            ("tls-private-key-file", file("server.key")),
            ("client-ca-file", file("authority.crt")),
            ("token-auth-file", file("tokens.csv")),
            ("authorization-mode", "RBAC".to_owned()),
            ("service-account-issuer", "https://lab.test".to_owned()),
            ("service-account-key-file", file("token.pub")),
            ("service-account-signing-key-file", file("token.key")),
            // Nobody is there who would make each namespace's account.
            ("disable-admission-plugins", "ServiceAccount".to_owned()),
        ];
        let arguments = arguments.iter();
        arguments
            .map(|(name, value)| format!("--{name}={value}"))
            .collect()
    }

    fn wait_until_ready(&self) {
        let until = Instant::now() + START;
        let client = self.client();
        while !client.is_ready() {
            let log = || self.log();
            assert!(!self.api().has_ended(), "the API server ended:\n{}", log());
            assert!(
                Instant::now() < until,
                "the API server is not ready:\n{}",
                log()
            );
            std::thread::sleep(INTERVAL);
        }
    }
}

/// Starts etcd where nobody but its own host can reach it. What it keeps need survive nothing but
/// the API server's restarts.
fn etcd(host: &Node) -> Program {
    let clients = "http://127.0.0.1:2379";
    let mut command = Command::new(binaries::tool("cluster/etcd"));
    command.args(["--unsafe-no-fsync", "--log-level=warn"]);
    command.args(["--data-dir", &format!("{DIRECTORY}/etcd")]);
    command.args(["--listen-client-urls", clients]);
    command.args(["--advertise-client-urls", clients]);
    command.args(["--listen-peer-urls", "http://127.0.0.1:2380"]);
    host.write(format!("{DIRECTORY}/README"), "of the laboratory\n");
    Program::start(host, &mut command)
}
