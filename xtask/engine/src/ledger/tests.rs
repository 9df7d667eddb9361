//! The stored format, and the target of a rollback.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

pub(crate) fn entry(number: u32, version: &str, outcome: Outcome) -> Entry {
    let change = VersionChange { before: None, after: version.to_owned(), code_sha256: None };
    Entry {
        number,
        system: "notes".to_owned(),
        stage: "dev".to_owned(),
        token: format!("token {number}"),
        commit: None,
        who: "somebody".to_owned(),
        began: "2026-01-01T00:00:00Z".to_owned(),
        ended: None,
        kind: ReleaseKind::Deploy,
        plan: None,
        functions: BTreeMap::from([("notes-api-dev".to_owned(), change)]),
        needs: BTreeMap::new(),
        sites: BTreeMap::new(),
        apis: BTreeMap::new(),
        steps: Vec::new(),
        outcome,
    }
}

#[test]
fn a_rollback_returns_to_the_last_release_that_differs() {
    let reverted = || Outcome::reverted("a probe failed");
    let entries = [
        entry(1, "1", Outcome::Released),
        entry(2, "2", Outcome::Released),
        entry(3, "3", reverted()),
        entry(4, "4", Outcome::Released),
        entry(5, "4", Outcome::Released),
    ];
    assert_eq!(rollback_target(&entries, None, "dev").expect("a target").number, 2);
    assert_eq!(rollback_target(&entries, Some(1), "dev").expect("a target").number, 1);
    assert!(matches!(rollback_target(&entries, Some(3), "dev"), Err(LedgerError::NeverReleased { .. })));
    assert!(matches!(rollback_target(&entries, Some(9), "dev"), Err(LedgerError::NoSuchRelease { .. })));
    assert!(matches!(rollback_target(&entries[..1], None, "dev"), Err(LedgerError::NothingBefore { .. })));
    assert!(matches!(rollback_target(&[], None, "dev"), Err(LedgerError::NothingBefore { .. })));
}

#[test]
fn a_release_that_changes_only_a_page_differs() {
    let of = |number, manifest: &str| Entry {
        sites: BTreeMap::from([("Site".to_owned(), manifest.to_owned())]),
        ..entry(number, "1", Outcome::Released)
    };
    let entries = [of(1, "a"), of(2, "b"), of(3, "b")];
    assert_eq!(rollback_target(&entries, None, "dev").expect("a target").number, 1);
    // A release without manifests restores no page.
    let entries = [entry(1, "1", Outcome::Released), of(2, "b")];
    assert!(matches!(rollback_target(&entries, None, "dev"), Err(LedgerError::NothingBefore { .. })));
}

#[test]
fn entries_without_manifests_are_read() {
    let old = serde_json::to_value(entry(1, "1", Outcome::Released)).expect("plain data");
    assert!(old.get("sites").is_none(), "{old:#}");
    let read: Entry = serde_json::from_value(old).expect("an entry");
    assert_eq!(read, entry(1, "1", Outcome::Released));
}

#[test]
fn a_second_rollback_does_not_return_to_the_release_before_the_first() {
    let rolled_back =
        |number, version, to| Entry { kind: ReleaseKind::Rollback { to }, ..entry(number, version, Outcome::Released) };
    let mut entries: Vec<_> = (1..=3).map(|number| entry(number, &number.to_string(), Outcome::Released)).collect();
    entries.push(rolled_back(4, "2", 2));
    assert_eq!(rollback_target(&entries, None, "dev").expect("a target").number, 1);
    entries.push(rolled_back(5, "1", 1));
    assert!(matches!(rollback_target(&entries, None, "dev"), Err(LedgerError::NothingBefore { .. })));
    entries.push(entry(6, "4", Outcome::Released));
    assert_eq!(rollback_target(&entries, None, "dev").expect("a target").number, 5);
    entries.push(rolled_back(7, "1", 5));
    assert!(
        matches!(rollback_target(&entries, None, "dev"), Err(LedgerError::NothingBefore { .. })),
        "releases that 4 and 5 rolled back are no targets"
    );
}

/// Written by version 0.1 and read by every later one.
#[test]
fn a_stored_entry_keeps_its_format() {
    let text = r#"{
  "number": 7,
  "system": "notes",
  "stage": "dev",
  "token": "0123-7-1000",
  "commit": "0123456789abcdef-dirty",
  "who": "arn:aws:iam::123456789012:user/somebody",
  "began": "2026-01-01T00:00:00Z",
  "ended": "2026-01-01T00:01:00Z",
  "kind": {
    "what": "rollback",
    "to": 5
  },
  "plan": "ab01",
  "functions": {
    "notes-api-dev": {
      "before": "3",
      "after": "2",
      "codeSha256": "q80="
    },
    "notes-new-dev": {
      "before": null,
      "after": "1"
    }
  },
  "needs": {
    "data/Table": "notes"
  },
  "sites": {
    "Site": "cd23"
  },
  "steps": [
    {
      "at": "2026-01-01T00:00:30Z",
      "what": "all of the traffic"
    }
  ],
  "outcome": {
    "state": "reverted",
    "why": "a probe failed"
  }
}"#;
    let read: Entry = serde_json::from_str(text).expect("an entry");
    assert_eq!(read.kind, ReleaseKind::Rollback { to: 5 });
    assert_eq!(read.outcome, Outcome::reverted("a probe failed"));
    assert_eq!(read.new_functions(), ["notes-new-dev"]);
    assert_eq!(serde_json::to_string_pretty(&read).expect("plain data"), text);
    // Fields that the first version did not write.
    let first = text.replace("  \"needs\": {\n    \"data/Table\": \"notes\"\n  },\n", "");
    let first = first.replace("  \"sites\": {\n    \"Site\": \"cd23\"\n  },\n", "");
    let read: Entry = serde_json::from_str(&first).expect("an entry");
    assert!(read.needs.is_empty() && read.sites.is_empty());
    for (kind, outcome) in [("deploy", "open"), ("deploy", "released")] {
        let text = format!(r#"{{ "kind": {{ "what": "{kind}" }}, "outcome": {{ "state": "{outcome}" }} }}"#);
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let read = (ReleaseKind::deserialize(&read["kind"]), Outcome::deserialize(&read["outcome"]));
        assert!(read.0.is_ok() && read.1.is_ok(), "{text}");
    }
}
