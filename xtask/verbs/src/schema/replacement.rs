//! The table of the properties whose change replaces a resource, for all resource types. Planning needs it.
//!
//! Each type is a line, so that a plan reads the table within a millisecond and the changes of new schemas can be
//! reviewed.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use super::read::paths;

/// The first lines of the table.
const HEADER: &str = "# Written by `cargo xtask schema` from AWS's resource schemas; do not edit.\n\
    # type <tab> paths whose change replaces <tab> paths whose change may replace <tab> attributes that the service sets\n";

/// Returns the table of all schemas.
#[must_use]
pub(crate) fn table(schemas: &BTreeMap<String, Value>) -> String {
    let mut table = HEADER.to_owned();
    for (type_name, schema) in schemas {
        let list = |key| {
            let mut paths: Vec<String> = paths(schema, key).collect();
            paths.sort();
            paths.join(",")
        };
        let certain = list("createOnlyProperties");
        let conditional = list("conditionalCreateOnlyProperties");
        let read_only = list("readOnlyProperties");
        // Writing to a string cannot fail.
        let _never = writeln!(table, "{type_name}\t{certain}\t{conditional}\t{read_only}");
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_a_line() {
        let schema = json!({
            "createOnlyProperties": ["/properties/TableName", "/properties/Import/properties/Key"],
            "conditionalCreateOnlyProperties": ["/properties/KeySchema"],
            "readOnlyProperties": ["/properties/Arn"],
        });
        let table = table(&BTreeMap::from([("AWS::DynamoDB::Table".to_owned(), schema)]));
        assert!(table.ends_with("\nAWS::DynamoDB::Table\tImport/Key,TableName\tKeySchema\tArn\n"), "{table}");
    }
}
