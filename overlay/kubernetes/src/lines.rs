// SPDX-License-Identifier: Apache-2.0
//! A stream of bytes as lines.

/// The longest line in bytes: an object is 1.5 MiB at most where it is stored.
const LONGEST: usize = 8 << 20;
/// What is kept of the memory that a line needed.
const KEPT: usize = 64 << 10;

/// What has come and is not a whole line yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// Where the first line begins that was not taken, and where to look for its end.
    start: usize,
    looked: usize,
}

impl Lines {
    /// Takes what came; returns whether it can still become a line.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        self.bytes.drain(..self.start);
        self.looked -= self.start;
        self.start = 0;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(KEPT);
        }
        self.bytes.extend_from_slice(bytes);
        self.bytes.len() <= LONGEST
    }

    /// The next whole line, without its end.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        loop {
            let rest = &self.bytes[self.looked..];
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                self.looked = self.bytes.len();
                return None;
            };
            let (start, end) = (self.start, self.looked + length);
            self.start = end + 1;
            self.looked = self.start;
            let line = self.bytes[start..end].trim_ascii();
            if !line.is_empty() {
                return Some(&self.bytes[start..end]);
            }
        }
    }

    /// Whether there is the beginning of a line.
    pub(crate) fn is_within_a_line(&self) -> bool {
        !self.bytes[self.start..].trim_ascii().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = lines.next() {
            all.push(String::from_utf8(line.to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn lines_come_whole_however_the_bytes_come() {
        let text = "one\n\ntwo\r\nthree";
        for part in 1..text.len() {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            for bytes in text.as_bytes().chunks(part) {
                assert!(lines.push(bytes));
                seen.extend(all(&mut lines));
            }
            assert_eq!(seen, ["one", "two\r"], "in parts of {part}");
            assert!(lines.is_within_a_line());
            assert!(lines.push(b"\n"));
            assert_eq!(all(&mut lines), ["three"]);
            assert!(!lines.is_within_a_line());
        }
    }

    #[test]
    fn a_line_without_end_is_not_gathered_for_ever() {
        let mut lines = Lines::default();
        let chunk = vec![b'x'; 1 << 20];
        assert!((0..8).all(|_| lines.push(&chunk) && lines.next().is_none()));
        assert!(!lines.push(b"x"));
    }
}
