// SPDX-License-Identifier: Apache-2.0
//! Where the API server is and what proves who we are: from a kubeconfig, or as in a pod.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::TryFutureExt;
use futures::future::BoxFuture;
use http::Request;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower_service::Service;

use crate::connector::{Connector, Wire};
use crate::failure::{Cause, Failure};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What leads to a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    File(PathBuf),
    Pod,
}

/// What leads to the server: the file that was asked for, else what a pod has, else what
/// `$KUBECONFIG` names.
pub(crate) fn lead(
    kubeconfig: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<Lead> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(path) = kubeconfig {
        return Some(Lead::File(path.to_owned()));
    }
    if variable("KUBERNETES_SERVICE_HOST").is_some() {
        return Some(Lead::Pod);
    }
    variable("KUBECONFIG").map(|path| Lead::File(path.into()))
}

/// An environment variable of this process.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// A client by what the files say now.
pub(super) async fn client(kubeconfig: Option<&Path>, wire: Arc<Wire>) -> Result<Client, Failure> {
    let config = match lead(kubeconfig, variable) {
        Some(Lead::File(path)) => of_file(&path).await?,
        Some(Lead::Pod) => Config::incluster().map_err(|error| unusable("pod", &error))?,
        None => {
            let why = "nothing says where the API server is";
            return Err(Failure::new(Cause::Configuration, why));
        }
    };
    let server = config.cluster_url.to_string();
    build(&config, wire).map_err(|error| unusable(&server, &error))
}

async fn of_file(path: &Path) -> Result<Config, Failure> {
    let named = path.display().to_string();
    let file = Kubeconfig::read_from(path).map_err(|error| match error {
        KubeconfigError::Parse(error) => unusable(&named, &Malformed(place(&error.to_string()))),
        error => unusable(&named, &error),
    })?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(file, &options).await;
    config.map_err(|error| unusable(&named, &error))
}

/// A kubeconfig that is none, with the place in it. What the parser says shows the lines around it,
/// and those may be a token's.
#[derive(Debug, thiserror::Error)]
#[error("it is not the YAML of a kubeconfig{0}")]
struct Malformed(String);

/// The place in a parser's message, `error: line 3 column 9: ...`.
fn place(message: &str) -> String {
    let number = |after: &str| {
        let rest = message.split_once(after)?.1;
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse::<u32>()
            .ok()
    };
    match (number("line "), number(" column ")) {
        (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
        _ => String::new(),
    }
}

/// The layers of a request, from the outside: the server's address, our credentials, headers.
fn build(config: &Config, wire: Arc<Wire>) -> Result<Client, kube::Error> {
    let connector = config.rustls_https_connector_with_connector(Connector::new(wire))?;
    let client: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(1)
        .build(connector);
    let namespace = config.default_namespace.as_str();
    let client =
        ClientBuilder::new(Plain(client), namespace).with_layer(&config.extra_headers_layer()?);
    Ok(match config.auth_layer()? {
        Some(credentials) => client
            .with_layer(&credentials)
            .with_layer(&config.base_uri_layer())
            .build(),
        None => client.with_layer(&config.base_uri_layer()).build(),
    })
}

/// A service whose errors are of the kind that the layers want.
#[derive(Clone, Debug)]
struct Plain<S>(S);

impl<S> Service<Request<Body>> for Plain<S>
where
    S: Service<Request<Body>>,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.call(request).map_err(Into::into))
    }
}

fn unusable(what: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    let below = Failure::below(Cause::Configuration, error);
    let why = format!(
        "the way to the API server by {what} cannot be used: {}",
        below.why
    );
    Failure::new(Cause::Configuration, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_file_then_the_pod_then_the_variable() {
        let lead = |given: Option<&str>, set: &[&str]| {
            lead(given.map(Path::new), |name| {
                set.contains(&name).then(|| name.to_lowercase())
            })
        };
        let file = |path: &str| Some(Lead::File(path.into()));
        let both = ["KUBECONFIG", "KUBERNETES_SERVICE_HOST"];
        assert_eq!(lead(Some("given"), &both), file("given"));
        assert_eq!(lead(None, &both), Some(Lead::Pod));
        assert_eq!(lead(None, &["KUBECONFIG"]), file("kubeconfig"));
        assert_eq!(lead(None, &[]), None);
    }
}
