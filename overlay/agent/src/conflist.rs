// SPDX-License-Identifier: Apache-2.0
//! The conflist that makes the container runtime attach pods to the overlay: a template whose gaps
//! are filled with what only the agent knows. It appears when the overlay is usable and no
//! earlier, so that no pod is attached to half of one.

mod fill;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) use fill::Facts;

use crate::replace::replace;

/// What the conflist is made of when the operator gives no template.
const BUILT_IN: &str = include_str!("conflist/template.json");

/// The conflist, and where it comes from.
#[derive(Debug)]
pub(crate) struct Conflist {
    pub(crate) path: PathBuf,
    pub(crate) template: Option<PathBuf>,
}

/// Why there is no conflist.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the conflist's template {}: {error}", path.display())]
    Template { path: PathBuf, error: io::Error },
    #[error("the conflist's template {}: {fault}", path.display())]
    Malformed { path: PathBuf, fault: String },
    #[error("cannot write the conflist {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("cannot remove the conflist of an earlier boot {}: {error}", path.display())]
    Remove { path: PathBuf, error: io::Error },
}

impl Conflist {
    /// Sees to it that the file holds the template, filled. Says whether it had to be written.
    pub(crate) fn ensure(&self, facts: &Facts<'_>) -> Result<bool, Error> {
        let mut list = self.template()?;
        fill::fill(&mut list, facts);
        let content = format!("{list:#}\n");
        if fs::read_to_string(&self.path).is_ok_and(|present| present == content) {
            return Ok(false);
        }
        let written = replace(&self.path, &content);
        written.map_err(|error| Error::Write {
            path: self.path.clone(),
            error,
        })?;
        Ok(true)
    }

    /// Takes the file away: there is no overlay yet in this boot, and the file outlived the last
    /// one. The runtime would call the node ready.
    pub(crate) fn withdraw(&self) -> Result<(), Error> {
        if self.template.as_ref() == Some(&self.path) {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Remove {
                path: self.path.clone(),
                error,
            }),
            _ => Ok(()),
        }
    }

    /// The template as it is now.
    pub(crate) fn template(&self) -> Result<Value, Error> {
        let Some(path) = &self.template else {
            return Ok(parse(BUILT_IN).expect("the built-in template is a conflist"));
        };
        let text = fs::read_to_string(path).map_err(|error| Error::Template {
            path: path.clone(),
            error,
        })?;
        parse(&text).map_err(|fault| malformed(path, fault))
    }
}

fn malformed(path: &Path, fault: String) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        fault,
    }
}

/// What a runtime and [`fill::fill`] need of a conflist.
fn parse(text: &str) -> Result<Value, String> {
    let list: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    for key in ["cniVersion", "name"] {
        if !list.get(key).is_some_and(Value::is_string) {
            return Err(format!("it has no {key:?}"));
        }
    }
    let plugins = list.get("plugins").and_then(Value::as_array);
    let plugins = plugins.ok_or("it has no list of \"plugins\"")?;
    let named = |plugin: &Value| plugin.get("type").is_some_and(Value::is_string);
    if plugins.is_empty() || !plugins.iter().all(named) {
        return Err("it has no plugins, or one without a \"type\"".to_owned());
    }
    Ok(list)
}

#[cfg(test)]
mod tests;
