//! Tables in two styles: for a terminal and for Markdown.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle, presets::ASCII_MARKDOWN};

/// A rule below the header and no other lines.
const TERMINAL: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// The space after a column, beside the one where vertical lines would be.
const GAP: u16 = 1;

/// A table for a terminal.
#[must_use]
pub fn terminal(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TERMINAL).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

/// A table for Markdown. Its cells must be made with [`markdown_cell`].
#[must_use]
pub fn markdown(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

/// Text that stays within one cell of a Markdown table.
#[must_use]
pub fn markdown_cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('\n', "<br>")
}

/// Groups sorted rows by their first cell: the cell is blank where it repeats the row above.
pub fn grouped(rows: impl IntoIterator<Item = Vec<String>>) -> impl Iterator<Item = Vec<String>> {
    let mut group = None;
    rows.into_iter().map(move |mut row| {
        if let Some(first) = row.first_mut() {
            if group.as_ref() == Some(first) {
                first.clear();
            } else {
                group = Some(first.clone());
            }
        }
        row
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_s_table_has_one_rule_and_names_a_group_once() {
        let mut table = terminal(&["system", "artifact", "size"]);
        let rows = [["notes", "api", "2 MB"], ["notes", "sweeper", "1 MB"], ["photos", "api", "11 MB"]];
        table.add_rows(grouped(rows.map(|row| row.map(str::to_owned).to_vec())));
        let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        let expected = [
            "system  artifact  size",
            "────────────────────────",
            "notes   api       2 MB",
            "        sweeper   1 MB",
            "photos  api       11 MB",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_pipe_or_a_line_break_stays_within_its_cell() {
        let mut table = markdown(&["step", "result"]);
        table.add_row(["build".to_owned(), markdown_cell("a | b\nc")]);
        let expected = "| step  | result      |\n|-------|-------------|\n| build | a \\| b<br>c |";
        assert_eq!(table.to_string(), expected);
    }
}
