//! Indexes of tables: DynamoDB refuses two of one name, and a policy for an index that does not exist allows nothing.

use serde_json::Value;

use super::{
    Requirement, Subject, Violation,
    access::{IDENTITIES, statements},
    form,
};
use crate::statements::list;

const TABLE: &str = "AWS::DynamoDB::Table";

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.resource_type() == TABLE {
        let names = indexes(subject.resource);
        for (place, name) in names.iter().enumerate().filter(|(place, name)| names[..*place].contains(name)) {
            let message = format!("index {} is called `{name}` like one before it; rename or delete it", place + 1);
            subject.violates(Requirement::Index, "GlobalSecondaryIndexes", message, found);
        }
    }
    if !IDENTITIES.contains(&subject.resource_type()) {
        return;
    }
    for (property, value) in subject.resource["Properties"].as_object().into_iter().flatten() {
        for resource in statements(value).into_iter().flat_map(|statement| list(&statement["Resource"])) {
            if let Some(message) = unknown_index(subject, resource) {
                subject.violates(Requirement::Index, property, message, found);
            }
        }
    }
}

/// Returns the names of a table's indexes, of both kinds, which share their names (DynamoDB API reference,
/// `GlobalSecondaryIndex`).
fn indexes(table: &Value) -> Vec<&str> {
    let of_kind = |kind: &str| list(&table["Properties"][kind]).iter();
    let all = of_kind("GlobalSecondaryIndexes").chain(of_kind("LocalSecondaryIndexes"));
    all.filter_map(|index| index["IndexName"].as_str()).collect()
}

/// Returns why an ARN of an index allows nothing; `None` if the index exists, or the table is not the system's.
fn unknown_index<'a>(subject: &Subject<'a>, arn: &'a Value) -> Option<String> {
    let text = form(arn).or_else(|| arn["Fn::Sub"][0].as_str().map(str::to_owned))?;
    let (table, index) = text.rsplit_once("/index/")?;
    if index.contains(['*', '?', '$']) {
        return None;
    }
    let scope = subject.target().scope;
    let named = || subject.index.table(table.rsplit_once(":table/")?.1);
    let referenced = scope.targets(arn).into_iter().find(|target| target.kind() == TABLE);
    let table = referenced.or_else(named)?;
    let known = indexes(table.resource);
    if known.contains(&index) {
        return None;
    }
    let existing = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    Some(format!("table {} has no index `{index}`; {existing}: name one of its indexes", table.logical_id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::tests::{found_in, of},
        *,
    };
    use crate::{
        parts::{
            function::Function,
            table::{Access, Table},
        },
        stage::Stage,
        template::{Stack, System, Text},
    };

    fn found(stack: Stack) -> Vec<String> {
        found_in("dev", stack).into_iter().filter(|found| found.starts_with("index")).collect()
    }

    fn table(indexes: &[&str]) -> Table {
        let table = Table::new("Bookings", "bookings", ("PK", None), &Stage::example("dev"));
        indexes.iter().fold(table, |table, index| table.index(index, ("User", None)))
    }

    /// The violations where a function in another stack may query this index.
    fn queried(index: &str) -> Vec<String> {
        let stage = Stage::example("dev");
        let [mut data, mut api] = ["data", "api"].map(|name| Stack::new(name, name));
        let table = data.add(table(&["ByUser"]));
        let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
        let access = table.query_index(index).into_iter().chain(table.allow(&[Access::Query]));
        api.add(Function::new(&stage, environment).allow(access));
        let system = System::new("shop", [data, api]).render(&stage).expect("rendered");
        let found = super::super::violations(&stage, &[system]);
        let found = found.iter().filter(|found| found.requirement == Requirement::Index);
        found.map(|found| format!("{}: {}", found.logical_id, found.message)).collect()
    }

    #[test]
    fn a_policy_names_an_index_that_its_table_has() {
        assert_eq!(queried("ByUser"), [""; 0]);
        assert_eq!(
            queried("ByState"),
            ["FetchFunctionRole: table Bookings has no index `ByState`; it has ByUser: name one of its indexes"]
        );
    }

    #[test]
    fn an_index_is_named_in_every_form_of_the_arn() {
        let prefix = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table";
        for (arn, is_right) in [
            (json!({ "Fn::Sub": "${Bookings.Arn}/index/ByUser" }), true),
            (json!({ "Fn::Sub": "${Bookings.Arn}/index/*" }), true),
            (json!({ "Fn::Sub": "${Bookings.Arn}/index/ByState" }), false),
            (json!({ "Fn::Sub": ["${T}/index/ByState", { "T": { "Fn::GetAtt": ["Bookings", "Arn"] } }] }), false),
            (json!({ "Fn::Join": ["", [{ "Fn::GetAtt": ["Bookings", "Arn"] }, "/index/ByState"]] }), false),
            (json!({ "Fn::Sub": format!("{prefix}/bookings/index/ByState") }), false),
            (json!({ "Fn::Sub": format!("{prefix}/other/index/ByState") }), true),
        ] {
            let mut stack = Stack::new("data", "Data.");
            stack.add(table(&["ByUser"]));
            let statement = json!({ "Effect": "Allow", "Action": "dynamodb:Query", "Resource": arn });
            let policy = json!({ "PolicyDocument": { "Statement": [statement] } });
            stack.resource("Policy", of("AWS::IAM::ManagedPolicy", policy));
            assert_eq!(found(stack).is_empty(), is_right, "{arn}");
        }
    }

    #[test]
    fn indexes_of_one_table_have_different_names() {
        let with = |indexes: &[&str]| {
            let mut stack = Stack::new("data", "Data.");
            stack.add(table(indexes));
            found(stack)
        };
        assert_eq!(with(&["ByUser", "ByState"]), [""; 0]);
        let expected = "index: Bookings: index 2 is called `ByUser` like one before it; rename or delete it";
        assert_eq!(with(&["ByUser", "ByUser"]), [expected]);
    }
}
