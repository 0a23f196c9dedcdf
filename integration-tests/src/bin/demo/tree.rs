// SPDX-License-Identifier: Apache-2.0
//! A tree as lines of text.

/// A line, what else is to be said of it, and what hangs on it.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) text: String,
    pub(crate) notes: Vec<String>,
    pub(crate) below: Vec<Tree>,
}

impl Tree {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Its lines, the topmost one first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.text.clone()];
        let beside = if self.below.is_empty() { "  " } else { "│ " };
        lines.extend(self.notes.iter().map(|note| format!("{beside}   {note}")));
        for (number, tree) in self.below.iter().enumerate() {
            let last = number + 1 == self.below.len();
            let (branch, beside) = if last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            for (number, line) in tree.lines().into_iter().enumerate() {
                let before = if number == 0 { branch } else { beside };
                lines.push(format!("{before}{line}"));
            }
        }
        lines
    }
}
