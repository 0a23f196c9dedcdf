// SPDX-License-Identifier: Apache-2.0
//! `podwired install`: the plugins into the host's directory, while the runtime executes them.
//!
//! Each appears by rename: a runtime that starts one meets the old or the new one, never half of
//! one, and one that runs goes on with what it is.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::Install;
use crate::error::Error as CommandError;

/// What an installed executable may be used for: anything by root, reading and executing by all.
const MODE: u32 = 0o755;

/// Why executables are not installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the executables in {}: {error}", path.display())]
    Source { path: PathBuf, error: io::Error },
    #[error("there is no executable in {}", path.display())]
    Nothing { path: PathBuf },
    #[error("cannot install into {}: {error}", path.display())]
    Target { path: PathBuf, error: io::Error },
}

pub(crate) fn install(Install { from, to }: &Install) -> Result<ExitCode, CommandError> {
    let names = executables(from).map_err(|error| Error::Source {
        path: from.clone(),
        error,
    })?;
    if names.is_empty() {
        return Err(Error::Nothing { path: from.clone() }.into());
    }
    let unusable = |error| Error::Target {
        path: to.clone(),
        error,
    };
    // Held to the end: of two at the same time each would take the other's new files for its own.
    let directory = Directory::lock(to).map_err(unusable)?;
    let mut code = ExitCode::SUCCESS;
    for name in names {
        let target = to.join(&name);
        match directory.put(&from.join(&name), &target) {
            Ok(true) => writeln!(io::stdout(), "installed {}", target.display())?,
            Ok(false) => writeln!(io::stdout(), "{} is up to date", target.display())?,
            Err(error) => {
                writeln!(
                    io::stderr(),
                    "podwired: cannot install {}: {error}",
                    target.display()
                )?;
                code = ExitCode::FAILURE;
            }
        }
    }
    directory.0.sync_all().map_err(unusable)?;
    Ok(code)
}

/// The names of the regular files in a directory that can be executed, in order.
fn executables(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            names.push(entry.file_name().into());
        }
    }
    names.sort();
    Ok(names)
}

/// The directory that is installed into, locked.
struct Directory(File);

impl Directory {
    fn lock(path: &Path) -> io::Result<Self> {
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_DIRECTORY)
            .open(path)?;
        directory.lock()?;
        Ok(Self(directory))
    }

    /// Makes `target`, which is in this directory, what `source` is. Says whether it was not.
    fn put(&self, source: &Path, target: &Path) -> io::Result<bool> {
        if is_same(source, target)? {
            return Ok(false);
        }
        let new = new(target);
        let written = write(source, &new).and_then(|()| fs::rename(&new, target));
        if written.is_err() {
            fs::remove_file(&new).ok();
        }
        written.map(|()| true)
    }
}

/// Whether what is there under the target's name is a file with this content that all can execute.
fn is_same(source: &Path, target: &Path) -> io::Result<bool> {
    let is = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        is => is?,
    };
    let (mut one, length) = (File::open(source)?, source.metadata()?.len());
    let fits = is.is_file() && is.len() == length && is.permissions().mode() & 0o7777 == MODE;
    if !fits {
        return Ok(false);
    }
    let mut other = File::open(target)?;
    let (mut here, mut there) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut here)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut there[..read])?;
        if here[..read] != there[..read] {
            return Ok(false);
        }
    }
}

/// A name that no runtime takes for that of a plugin.
fn new(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.podwired-new"))
}

/// Writes a new file. What is there under its name, be it a link to anywhere, was left by a run
/// that was killed, or put there by somebody who wants another file written: it goes.
fn write(source: &Path, new: &Path) -> io::Result<()> {
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(new)?;
    io::copy(&mut File::open(source)?, &mut file)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()
}
