//! The tables of `xtask/docs/aws.md`. The test of the emulator's agreement reads them as well.

/// The page, relative to the workspace's root.
pub(crate) const PAGE: &str = "xtask/docs/aws.md";

/// A row: a behaviour of AWS that the engine relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) section: String,
    pub(crate) behavior: String,
    pub(crate) source: String,
    /// The tests of the model, with their modules.
    pub(crate) tests: Vec<String>,
    /// `agrees`, `differs: how` or `not compared: why`.
    pub(crate) emulator: String,
}

impl Row {
    /// The line of the page.
    pub(crate) fn line(&self) -> String {
        let Self { section, behavior, source, tests, emulator } = self;
        let tests: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
        format!("{section}: | {behavior} | {source} | {} | {emulator} |", tests.join(", "))
    }
}

/// Reads the rows of the tables that start with the column `behaviour`.
pub(crate) fn rows(page: &str) -> Vec<Row> {
    let (mut section, mut is_table, mut rows) = ("", false, Vec::new());
    for line in page.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            // The line below the columns' names belongs to the table.
            is_table &= line.starts_with('|');
            continue;
        };
        let cells: Vec<_> = cells.split(" | ").map(str::trim).collect();
        if cells.iter().all(|cell| cell.chars().all(|found| found == '-')) {
            continue;
        }
        if cells[0] == "behaviour" {
            is_table = true;
        } else if is_table {
            let [behavior, source, tests, emulator] = cells[..] else {
                panic!("{PAGE} has a row of other cells: {line}")
            };
            rows.push(Row {
                section: section.to_owned(),
                behavior: behavior.to_owned(),
                source: source.to_owned(),
                tests: tests.split(", ").map(|test| test.trim_matches('`').to_owned()).collect(),
                emulator: emulator.to_owned(),
            });
        }
    }
    rows
}
