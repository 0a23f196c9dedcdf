// SPDX-License-Identifier: Apache-2.0
//! The containers of a pod, run with what their securityContext leaves them, and their probes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use e2e_tests::PATIENCE;
use integration_tests::Program;
use serde_json::Value;

use crate::kustomize::text;
use crate::sandbox::Pod;

impl Pod<'_> {
    /// Runs the init containers to their ends and starts the one container.
    pub(crate) fn start(&self) -> Program {
        assert_eq!(self.spec["hostNetwork"], true);
        for container in self.spec["initContainers"].as_array().into_iter().flatten() {
            let ended = Program::start(&self.member.node, &mut self.command(container)).wait();
            assert!(ended.status.success(), "{}", ended.log);
        }
        let container = &self.spec["containers"][0];
        Program::start(&self.member.node, &mut self.command(container))
    }

    fn command(&self, container: &Value) -> Command {
        let root = self.root_of(container);
        let mut command = Command::new("setpriv");
        // Changing the root takes a capability more, and no shell can be put inside.
        command.arg(format!(
            "--bounding-set=-all,+sys_chroot{}",
            added(container)
        ));
        command.args([
            "--inh-caps=-all",
            "--no-new-privs",
            "--",
            "unshare",
            "--root",
        ]);
        command.arg(root).arg("--").arg(entrypoint());
        command.args(container["args"].as_array().into_iter().flatten().map(word));
        command.env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("KUBERNETES_SERVICE_HOST", self.api.ip().to_string());
        command.env("KUBERNETES_SERVICE_PORT", self.api.port().to_string());
        for variable in container["env"].as_array().into_iter().flatten() {
            let field = &variable["valueFrom"]["fieldRef"]["fieldPath"];
            assert_eq!(field, "spec.nodeName", "the only field that is known here");
            command.env(word(&variable["name"]), &self.member.name);
        }
        command
    }

    /// Whether a probe of the container is answered with success: what the kubelet goes by.
    pub(crate) fn probe(&self, name: &str) -> bool {
        let get = &self.spec["containers"][0][name]["httpGet"];
        let host = word(&get["host"]).parse().expect("the host is an address");
        let port = get["port"].as_u64().and_then(|port| port.try_into().ok());
        let address = SocketAddr::new(host, port.expect("the port is a number"));
        let answer = self
            .member
            .node
            .run(|| http_get(address, word(&get["path"])));
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}

/// `,+CAPABILITY` for each capability that is added to none.
fn added(container: &Value) -> String {
    let context = &container["securityContext"];
    assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
    assert_eq!(context["allowPrivilegeEscalation"], false);
    let added = context["capabilities"]["add"]
        .as_array()
        .into_iter()
        .flatten();
    added
        .map(|name| format!(",+{}", word(name).to_lowercase()))
        .collect()
}

/// The program of the Dockerfile's last line.
fn entrypoint() -> String {
    let file = text("Dockerfile");
    let line = file
        .lines()
        .find_map(|line| line.strip_prefix("ENTRYPOINT "));
    let words = line.and_then(|words| serde_json::from_str::<Vec<String>>(words).ok());
    let words = words.expect("it has an ENTRYPOINT");
    assert_eq!(words.len(), 1);
    words.concat()
}

pub(crate) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// The answer of an HTTP server that closes after it.
fn http_get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
