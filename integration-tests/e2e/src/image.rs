// SPDX-License-Identifier: Apache-2.0
//! An image for container runtimes, made here, for there is no registry: busybox, and a web server's
//! files.

use std::fs::{self, Permissions, create_dir_all, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::Place;
use serde_json::{Value, json};

/// The image's name.
pub const IMAGE: &str = "lab.test/pod:1";
/// What serves HTTP on port 80 of a container, both families: `/` says which host it is, and
/// `/cgi-bin/client` whose address it sees.
pub const SERVER: &str = "/bin/server";

/// Where Debian's busybox-static is.
const BUSYBOX: &str = "/bin/busybox";
/// Names by which busybox is called.
const APPLETS: [&str; 8] = [
    "cat", "echo", "hostname", "httpd", "ip", "sh", "sleep", "wget",
];
/// Programs for its shell.
const SCRIPTS: [(&str, &str); 2] = [
    (
        "bin/server",
        "hostname >/tmp/www/index.html\nexec httpd -f -p 80 -h /tmp/www",
    ),
    (
        "tmp/www/cgi-bin/client",
        r#"printf 'Content-type: text/plain\r\n\r\n%s' "$REMOTE_ADDR""#,
    ),
];
/// The media types of an OCI image's parts.
const OCI: &str = "application/vnd.oci.image";

/// Makes the image in a directory of a place and returns the path of its archive, an OCI layout as
/// `ctr images import` and `podman load` take it. Without a command its container does nothing: it
/// serves as a sandbox's, too.
///
/// # Panics
/// When busybox is not installed; `make e2e` installs it.
pub fn image(place: &Place, directory: &Path) -> PathBuf {
    place.run(|| root(&directory.join("root")));
    let layer = archive(place, &directory.join("root"), &directory.join("layer"));
    let layer = blob(place, directory, "layer.v1.tar", &layer);
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": ["/bin/sleep", "1000000"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = json_blob(place, directory, "config.v1+json", &config);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": format!("{OCI}.manifest.v1+json"),
        "config": config,
        "layers": [layer],
    });
    let mut manifest = json_blob(place, directory, "manifest.v1+json", &manifest);
    manifest["annotations"] = json!({
        "io.containerd.image.name": IMAGE,
        "org.opencontainers.image.ref.name": IMAGE,
    });
    let layout = directory.join("layout");
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    place.run(|| {
        write(&layout.join("index.json"), &index.to_string());
        write(
            &layout.join("oci-layout"),
            &json!({"imageLayoutVersion": "1.0.0"}).to_string(),
        );
    });
    archive(place, &layout, &directory.join("image.tar"))
}

/// The image's files.
fn root(root: &Path) {
    create_dir_all(root.join("bin")).expect("the directory is writable");
    fs::copy(BUSYBOX, root.join("bin/busybox"))
        .expect("busybox-static is installed; `make e2e` installs it");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("the directory is writable");
    }
    for (path, text) in SCRIPTS {
        let path = root.join(path);
        write(&path, &format!("#!/bin/sh\n{text}\n"));
        set_permissions(&path, Permissions::from_mode(0o755)).expect("it is our file");
    }
}

fn write(path: &Path, text: &str) {
    let directory = path.parent().expect("a file is in a directory");
    create_dir_all(directory).expect("the directory is writable");
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Puts the files below a directory into an archive.
fn archive(place: &Place, directory: &Path, to: &Path) -> PathBuf {
    let mut command = Command::new("tar");
    command.arg("-C").arg(directory).arg("-cf").arg(to).arg(".");
    let outcome = place.output(&mut command);
    assert!(outcome.success(), "tar: {outcome}");
    to.to_owned()
}

fn json_blob(place: &Place, directory: &Path, kind: &str, document: &Value) -> Value {
    let file = directory.join("document");
    place.run(|| write(&file, &document.to_string()));
    blob(place, directory, kind, &file)
}

/// Moves a file to where the layout keeps it by its digest, and returns its descriptor.
fn blob(place: &Place, directory: &Path, kind: &str, file: &Path) -> Value {
    let outcome = place.output(Command::new("sha256sum").arg(file));
    let digest = outcome.stdout.split_whitespace().next();
    let digest = digest.unwrap_or_else(|| panic!("sha256sum: {outcome}"));
    let blobs = directory.join("layout/blobs/sha256");
    let size = place.run(|| {
        create_dir_all(&blobs)?;
        fs::rename(file, blobs.join(digest))?;
        fs::metadata(blobs.join(digest))
    });
    let size = size.expect("the directory is writable").len();
    json!({
        "mediaType": format!("{OCI}.{kind}"),
        "digest": format!("sha256:{digest}"),
        "size": size,
    })
}

/// This machine's, by Go's name.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
