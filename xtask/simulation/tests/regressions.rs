//! Histories that once violated an invariant, shortened. Each file is named after what it shows.

use simulation::{history::History, run::run, world::Tools};

#[test]
fn histories_that_once_failed_violate_no_invariant() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regressions");
    let tools = Tools::new().expect("folders");
    let mut played = 0;
    for file in fs_err::read_dir(folder).expect("the folder") {
        let path = file.expect("a file").path();
        let text = fs_err::read_to_string(&path).expect("text");
        let history: History = serde_json::from_str(&text).expect("a history");
        let outcome = run(&history, &tools);
        assert_eq!(outcome.violations, [], "{}\n{}", path.display(), outcome.log);
        played += 1;
    }
    assert!(played > 0);
}
