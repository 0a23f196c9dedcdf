// SPDX-License-Identifier: Apache-2.0
//! The documents hold together: their tables are tables, their links lead somewhere, and the error
//! codes are those of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::binaries::workspace;
use serde_json::Value;

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents for people: README, CHANGELOG, and all below `docs/`.
fn documents() -> Vec<PathBuf> {
    let below = ["docs", "docs/plugins"].into_iter().flat_map(|directory| {
        let entries = fs::read_dir(workspace().join(directory)).expect("the directory is there");
        entries.map(|entry| entry.expect("it can be read").path())
    });
    let top = ["README.md", "CHANGELOG.md"].map(|name| workspace().join(name));
    let markdown = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "md");
    below.chain(top).filter(markdown).collect()
}

/// The cells of a table's row; a bar inside a code span is none of its bars.
fn cells(row: &str) -> usize {
    let outside = row.split('`').step_by(2);
    outside.map(|text| text.matches('|').count()).sum()
}

#[test]
fn rows_of_a_table_have_as_many_cells_as_its_head() {
    for path in documents() {
        let text = read(&path);
        let mut head = None;
        for row in text.lines() {
            if !row.starts_with('|') {
                head = None;
                continue;
            }
            let wanted = *head.get_or_insert_with(|| cells(row));
            assert_eq!(cells(row), wanted, "{}: {row}", path.display());
        }
    }
}

/// What a pod is told on a command line by `--overrides`, in JSON.
#[test]
fn pods_that_clean_up_have_all_that_they_need() {
    let mut found = 0;
    for path in documents() {
        let text = read(&path);
        for rest in text.split("--overrides '").skip(1) {
            let json = rest.split('\'').next().expect("a part of it");
            let pod: Value = serde_json::from_str(json)
                .unwrap_or_else(|error| panic!("{}: {error}: {json}", path.display()));
            let (spec, container) = (&pod["spec"], &pod["spec"]["containers"][0]);
            assert_eq!(spec["hostNetwork"], true);
            assert_eq!(container["args"][0], "cleanup");
            let names = |list: &Value| -> Vec<Value> {
                let list = list.as_array().expect("a list").iter();
                list.map(|it| it["name"].clone()).collect()
            };
            assert_eq!(names(&container["volumeMounts"]), names(&spec["volumes"]));
            let image = container["image"].as_str().expect("a text");
            let command = text.split(json).next().expect("what stands before it");
            assert!(command.ends_with(&format!("--image {image} --overrides '")));
            found += 1;
        }
    }
    assert_eq!(found, 2);
}

#[test]
fn links_lead_to_files() {
    for path in documents() {
        let text = read(&path);
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let file = target.split('#').next().unwrap_or_default();
            let directory = path.parent().expect("a document is in a directory");
            assert!(
                directory.join(file).exists(),
                "{}: {target}",
                path.display()
            );
        }
    }
}

/// All of the code below a directory, as one text in which a sentence is in one piece.
fn code(directory: &Path) -> String {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let texts = paths.map(|path| match path.extension() {
        _ if path.is_dir() => code(&path),
        Some(kind) if kind == "rs" => read(&path),
        _ => String::new(),
    });
    let whole: String = texts.collect();
    let lines = whole.split("\\\n").map(str::trim_start);
    lines.collect()
}

/// Who looks for a sentence of the log in the document finds what the agent says, and not what it
/// once said.
#[test]
fn the_sentences_of_the_kubernetes_document_are_the_codes() {
    let (document, code) = (
        read("docs/kubernetes.md"),
        code(&workspace().join("overlay")),
    );
    let (_, table) = document.split_once("## When it does not work").unwrap();
    let cells = table.lines().filter(|line| line.starts_with("| "));
    let cells = cells.skip(1).filter_map(|line| line.split(" | ").next());
    let spans = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let mut sentences = 0;
    for sentence in spans.filter(|span| span.contains(' ') && !span.contains("status")) {
        // What stands between names, numbers and causes.
        let stops = |c: char| "\"():/".contains(c) || c.is_ascii_digit();
        let pieces = sentence.split(stops).flat_map(|piece| piece.split("..."));
        let constant = pieces.map(str::trim).max_by_key(|piece| piece.len());
        let constant = constant.unwrap_or_default();
        assert!(constant.len() > 10, "{sentence}");
        assert!(code.contains(constant), "nobody says {constant:?}");
        sentences += 1;
    }
    assert!(sentences > 10, "{sentences}");
}

/// What a document says is shown by a test is not shown by one that is gone.
#[test]
fn the_tests_that_documents_name_are_there() {
    let tests = ["integration-tests", "overlay", "plugins"]
        .map(|directory| code(&workspace().join(directory)));
    let mut named = 0;
    for document in [
        "docs/flannel-defects.md",
        "docs/migrating-from-cni-plugins.md",
    ] {
        let text = read(document);
        let spans = text.split('`').skip(1).step_by(2);
        for span in spans.filter(|span| span.matches('_').count() > 2 && !span.contains(' ')) {
            let name = span.rsplit("::").next().unwrap_or(span);
            let function = format!("fn {name}(");
            let there = tests.iter().any(|tests| tests.contains(&function));
            assert!(there, "{document}: there is no test {span}");
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
}

/// The numbers that follow `before` and are followed by `after` in lines of a text.
fn numbers(text: &str, before: &str, after: &str) -> BTreeSet<u32> {
    let rest = text
        .lines()
        .filter_map(|line| Some(line.split_once(before)?.1));
    rest.filter_map(|rest| rest.split_once(after)?.0.parse().ok())
        .collect()
}

#[test]
fn error_codes_are_those_of_the_code() {
    let code = numbers(&read("plugins/cni/src/error.rs"), ": Self = Self(", ")");
    let mut documented = numbers(&read("docs/errors.md"), "| ", " | ");
    documented.extend([2, 3]);
    assert_eq!(documented, code);
    assert!(read("docs/errors.md").contains("Codes 2 and 3 are not used"));
}
