// SPDX-License-Identifier: Apache-2.0
//! The list of nodes, from wherever the configuration has it.

use std::fs;

use cni::{Code, Error, OrCode};
use topology::NodeList;

use crate::conf::List;

impl List {
    /// Reads the list.
    pub(crate) fn read(&self) -> Result<NodeList, Error> {
        let path = match self {
            Self::Inline(nodes) => {
                return Ok(NodeList {
                    network: Vec::new(),
                    nodes: nodes.clone(),
                    ..NodeList::default()
                });
            }
            Self::File(path) => path,
        };
        let wish = || format!("cannot use the list of nodes {path:?}");
        let json = fs::read(path).or_code(Code::INVALID_CONFIG, wish())?;
        NodeList::parse(&json).or_code(Code::INVALID_CONFIG, wish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_list_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nodes.json");
        let list = List::File(path.clone());
        let error = list.read().unwrap_err();
        assert_eq!(error.code, Code::INVALID_CONFIG);
        assert!(error.msg.contains("nodes.json\": No such file"), "{error}");
        fs::write(&path, r#"[{"name": "a", "und"#).unwrap();
        let error = list.read().unwrap_err();
        assert_eq!(error.code, Code::INVALID_CONFIG);
        assert!(error.msg.contains("EOF while parsing"), "{error}");
        fs::write(&path, r#"[{"name": "a"}]"#).unwrap();
        assert_eq!(list.read().unwrap().nodes[0].name, "a");
    }
}
