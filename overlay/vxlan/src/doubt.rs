// SPDX-License-Identifier: Apache-2.0
//! A file that lists no other node, where there were some: as likely as that the cluster has
//! shrunk to this node is that somebody's script went wrong, and taken at its word it would cut
//! every pod off. So it is believed when it still says so a moment later.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cni::{Code, Error, warn};
use topology::Cluster;

use crate::conf::List;
use crate::fingerprint::Fingerprint;
use crate::place::{self, DIRECTORY};
use crate::stamp::Head;

/// Where it is noted which list is doubted, and since when.
const NAME: &str = "vxlan.doubt";
/// How long a doubt lasts.
const MOMENT: Duration = Duration::from_secs(2);

/// Refuses a list that is to be doubted, for a moment, with code 11.
pub(crate) fn settle(
    list: &List,
    cluster: &Cluster,
    former: Option<&Head>,
    fingerprint: Option<&Fingerprint>,
) -> Result<(), Error> {
    let (List::File(path), Some(former), Some(fingerprint)) = (list, former, fingerprint) else {
        return Ok(());
    };
    let before: usize = former.counts.iter().sum();
    if before == 0 || !cluster.peers().is_empty() {
        return Ok(());
    }
    let note = Path::new(DIRECTORY).join(NAME);
    if is_believed(&note, &fingerprint.digest) {
        return Ok(());
    }
    let msg = format!(
        "the list of nodes {path:?} has no node but this one, where it had {before} more: the \
         overlay stays as it is until the list still says so in {} seconds",
        MOMENT.as_secs()
    );
    Err(Error::new(Code::TRY_AGAIN_LATER, msg))
}

/// Whether the list was doubted a moment ago. One that is new is noted, and one of the future
/// anew: the clock was set back. Where that cannot be, it is not believed.
fn is_believed(note: &Path, digest: &str) -> bool {
    let noted = fs::read_to_string(note).is_ok_and(|noted| noted == digest);
    let since = fs::metadata(note).and_then(|file| file.modified());
    let age = since.map(|since| SystemTime::now().duration_since(since));
    if let (true, Ok(Ok(age))) = (noted, age) {
        return age >= MOMENT;
    }
    if let Err(error) = place::write(note, digest.as_bytes()) {
        warn(format_args!("cannot note a doubt in {note:?}: {error}"));
    }
    false
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_doubt_ends_also_when_the_clock_is_set_back() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join(NAME);
        assert!(!is_believed(&note, "list"));
        let noted_at = |time| {
            let file = File::options().write(true).open(&note).unwrap();
            file.set_modified(time).unwrap();
        };
        noted_at(SystemTime::now() - MOMENT);
        assert!(!is_believed(&note, "another list"));
        noted_at(SystemTime::now() - MOMENT);
        assert!(is_believed(&note, "another list"));
        noted_at(SystemTime::now() + 30 * MOMENT);
        assert!(!is_believed(&note, "another list"));
        let since = fs::metadata(&note).unwrap().modified().unwrap();
        assert!(since <= SystemTime::now(), "it would last for a minute");
    }
}
