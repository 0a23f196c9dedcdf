// SPDX-License-Identifier: Apache-2.0
use super::*;

fn find(path: &str, plugin: &str) -> Result<PathBuf, Error> {
    let environment = [(PATH, path)].into_iter().collect();
    let network = Network::of_call(br#"{"name":"net"}"#, &Version::ALL, environment).unwrap();
    Delegate::find(plugin, &network, Code::DELEGATE).map(|delegate| delegate.executable)
}

#[test]
fn the_first_regular_file_wins() {
    let directories = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let [a, b, c, d] = directories
        .each_ref()
        .map(|directory| directory.path().join("ipam"));
    fs::create_dir(&a).unwrap();
    symlink("/absent", &b).unwrap();
    symlink("/proc/self/exe", &c).unwrap();
    fs::write(&d, "").unwrap();
    let path = directories
        .each_ref()
        .map(|directory| directory.path().to_str().unwrap());
    assert_eq!(find(&path.join(":"), "ipam"), Ok(c));
    assert_eq!(find(&format!("::/absent:{}", path[3]), "ipam"), Ok(d));
}

#[test]
fn what_is_no_plugins_name_is_refused() {
    for (plugin, msg) in [
        ("", "no plugin name provided"),
        ("../sh", "invalid plugin name: ../sh"),
        ("/bin/sh", "invalid plugin name: /bin/sh"),
    ] {
        assert_eq!(
            find("/bin", plugin),
            Err(Error::new(Code::INVALID_CONFIG, msg))
        );
    }
}

#[test]
fn a_plugin_does_not_call_itself_without_end() {
    let network = Network::parse(br#"{"name":"net","TYPE":"bridge"}"#).unwrap();
    let msg = r#"plugin "bridge" can't be its own delegate"#;
    assert_eq!(
        Delegate::find("bridge", &network, Code::DELEGATE).unwrap_err(),
        Error::new(Code::INVALID_CONFIG, msg)
    );
}

#[test]
fn a_missing_plugin_is_named_with_the_path() {
    for (path, shown) in [("/a:/b", r#""/a:/b""#), ("", r#""""#)] {
        let msg = format!(r#"failed to find plugin "ipam" in path {shown}"#);
        assert_eq!(find(path, "ipam"), Err(Error::new(Code::DELEGATE, msg)));
    }
    assert_eq!(find("/proc/self", "ns").unwrap_err().code, Code::DELEGATE);
}

#[test]
fn without_its_delegate_a_plugin_is_unavailable() {
    let network = Network::parse(br#"{"cniVersion":"1.1.0","name":"net"}"#).unwrap();
    let status = Status::new(network).unwrap();
    assert_eq!(status.delegate("ipam").unwrap_err().code, Code::UNAVAILABLE);
    assert_eq!(status.delegate("").unwrap_err().code, Code::INVALID_CONFIG);
}
