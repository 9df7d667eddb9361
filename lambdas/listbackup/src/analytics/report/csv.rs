//! Tables as CSV (RFC 4180). Spreadsheets carry out cells that look like formulas, so a text that begins like one gets an apostrophe
//! (OWASP, "CSV Injection").

use serde_json::Value;

/// The characters that begin a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Writes a line of columns, and a line for each row.
pub(super) fn write(columns: &[&str], rows: &[Value]) -> Vec<u8> {
    let mut text = columns.join(",");
    text.push_str("\r\n");
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|column| cell(&row[*column])).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        // A negative number is no formula.
        Value::Number(number) => return number.to_string(),
        Value::String(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains(['"', ',', '\r', '\n', '\t', '\'']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn formulas_become_texts() {
        for (text, expected) in [
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("a=1", "a=1"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("", ""),
        ] {
            assert_eq!(cell(&json!(text)), expected, "{text:?}");
        }
        assert_eq!(
            [json!(-7), json!(1.5), json!(null), json!(true)].map(|value| cell(&value)),
            ["-7", "1.5", "", "true"]
        );
    }

    #[test]
    fn each_row_is_a_line_of_all_columns() {
        let rows = [json!({ "b": 1, "c": "x" }), json!({ "a": "=1" })];
        assert_eq!(String::from_utf8(write(&["a", "b"], &rows)).expect("UTF-8"), "a,b\r\n,1\r\n\"'=1\",\r\n");
    }
}
