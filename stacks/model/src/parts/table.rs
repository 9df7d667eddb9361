//! A DynamoDB table with on-demand capacity, and the statements that grant access to it and to its stream.

use serde_json::json;

use super::policy::Statement;
use crate::{
    resources::dynamo_db::{self, table},
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text, list, set},
};

/// The age in days up to which a table can be restored: the maximum (DynamoDB developer guide, "Point-in-time backups").
const RECOVERY_DAYS: i64 = 35;

/// An encrypted `AWS::DynamoDB::Table` with on-demand capacity. Keys are strings, unless [`Table::number_key`] says otherwise.
#[derive(Debug, Clone)]
pub struct Table {
    logical_id: String,
    properties: dynamo_db::Table,
    keys: Vec<String>,
    numbers: Vec<String>,
    indexes: Vec<String>,
    removal: RemovalPolicy,
}

/// A key: the attribute of the partition key and, if there is one, the attribute of the sort key.
pub type Key<'a> = (&'a str, Option<&'a str>);

/// The values by which other parts refer to a table.
#[derive(Debug, Clone)]
pub struct TableHandle {
    /// The table.
    pub table: Reference,
    indexes: Vec<String>,
}

/// An operation on items. There is no `Scan`, because its cost grows with the table instead of the result; see
/// [`TableHandle::scan_attributes`] for the exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are DynamoDB's own")]
pub enum Access {
    BatchGetItem,
    BatchWriteItem,
    ConditionCheckItem,
    DeleteItem,
    GetItem,
    PutItem,
    Query,
    UpdateItem,
}

impl Access {
    const fn action(self) -> &'static str {
        match self {
            Self::BatchGetItem => "dynamodb:BatchGetItem",
            Self::BatchWriteItem => "dynamodb:BatchWriteItem",
            Self::ConditionCheckItem => "dynamodb:ConditionCheckItem",
            Self::DeleteItem => "dynamodb:DeleteItem",
            Self::GetItem => "dynamodb:GetItem",
            Self::PutItem => "dynamodb:PutItem",
            Self::Query => "dynamodb:Query",
            Self::UpdateItem => "dynamodb:UpdateItem",
        }
    }
}

impl Table {
    /// Creates a table called `name`. It is retained when its stack is deleted, except in stage `local`, whose emulator
    /// keeps no data. In a protected stage it cannot be deleted.
    #[must_use]
    pub fn new(logical_id: &str, name: &str, key: Key, stage: &Stage) -> Self {
        let properties = dynamo_db::Table {
            table_name: set(name),
            billing_mode: set("PAY_PER_REQUEST"),
            key_schema: Some(json!(
                key_schema(key).map(|(name, key_type)| key_attribute(name, key_type)).collect::<Vec<_>>()
            )),
            sse_specification: Some(table::SSESpecification {
                sse_enabled: set(true),
                ..table::SSESpecification::default()
            }),
            deletion_protection_enabled: stage.protected.then_some(true).and_then(set),
            ..dynamo_db::Table::default()
        };
        Self {
            logical_id: logical_id.to_owned(),
            properties,
            keys: key_schema(key).map(|(name, _)| name.to_owned()).collect(),
            numbers: Vec::new(),
            indexes: Vec::new(),
            removal: if stage.is_local() { RemovalPolicy::Delete } else { RemovalPolicy::Retain },
        }
    }

    /// Makes an attribute that is part of a key a number instead of a string.
    #[must_use]
    pub fn number_key(mut self, attribute: &str) -> Self {
        self.numbers.push(attribute.to_owned());
        self
    }

    /// Adds a global secondary index that projects all attributes.
    #[must_use]
    pub fn index(self, name: &str, key: Key) -> Self {
        self.projected_index(name, key, "ALL", None)
    }

    /// Adds a global secondary index that projects the keys and these other attributes.
    #[must_use]
    pub fn index_including(self, name: &str, key: Key, attributes: &[&str]) -> Self {
        self.projected_index(name, key, "INCLUDE", list(attributes.iter().copied()))
    }

    /// Adds a global secondary index that projects the keys only.
    #[must_use]
    pub fn index_keys_only(self, name: &str, key: Key) -> Self {
        self.projected_index(name, key, "KEYS_ONLY", None)
    }

    fn projected_index(mut self, name: &str, key: Key, projection: &str, attributes: Option<Vec<Text>>) -> Self {
        let item = |(name, key_type)| table::GlobalSecondaryIndexKeySchema {
            attribute_name: set(name),
            key_type: set(key_type),
        };
        let index = table::GlobalSecondaryIndex {
            index_name: set(name),
            key_schema: Some(key_schema(key).map(item).collect()),
            projection: Some(table::Projection { projection_type: set(projection), non_key_attributes: attributes }),
            ..table::GlobalSecondaryIndex::default()
        };
        self.properties.global_secondary_indexes.get_or_insert_default().push(index);
        self.keys.extend(key_schema(key).map(|(name, _)| name.to_owned()));
        self.indexes.push(name.to_owned());
        self
    }

    /// Deletes items after the time in this attribute, in seconds since 1970. DynamoDB deletes them within a few days
    /// (DynamoDB developer guide, "Using time to live").
    #[must_use]
    pub fn expires(mut self, attribute: &str) -> Self {
        self.properties.time_to_live_specification =
            Some(table::TimeToLiveSpecification { attribute_name: set(attribute), enabled: set(true) });
        self
    }

    /// Enables point-in-time recovery to any second of the last 35 days.
    #[must_use]
    pub fn recoverable(mut self) -> Self {
        self.properties.point_in_time_recovery_specification = Some(table::PointInTimeRecoverySpecification {
            point_in_time_recovery_enabled: set(true),
            recovery_period_in_days: set(RECOVERY_DAYS),
        });
        self
    }

    /// Enables deletion protection: the table cannot be deleted.
    #[must_use]
    pub fn protected(mut self) -> Self {
        self.properties.deletion_protection_enabled = set(true);
        self
    }

    /// Enables a stream of all changes, each with the item before and after it.
    #[must_use]
    pub fn stream(mut self) -> Self {
        self.properties.stream_specification = Some(table::StreamSpecification {
            stream_view_type: set("NEW_AND_OLD_IMAGES"),
            ..table::StreamSpecification::default()
        });
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.properties.tags.get_or_insert_default().push(table::Tag { key: set(key), value: set(value) });
        self
    }
}

/// Returns the attributes of a key, each with its key type.
fn key_schema<'a>((partition, sort): Key<'a>) -> impl Iterator<Item = (&'a str, &'static str)> {
    std::iter::once((partition, "HASH")).chain(sort.map(|sort| (sort, "RANGE")))
}

fn key_attribute(name: &str, key_type: &str) -> serde_json::Value {
    json!({ "AttributeName": name, "KeyType": key_type })
}

impl Part for Table {
    type Handle = TableHandle;

    fn add_to(mut self, stack: &mut Stack) -> TableHandle {
        // DynamoDB refuses a number that is no key, so it is not left out here.
        self.keys.extend(self.numbers.iter().cloned());
        self.keys.sort();
        self.keys.dedup();
        let numbers = &self.numbers;
        let attribute_type = |name: &String| set(if numbers.contains(name) { "N" } else { "S" });
        let definition =
            |name| table::AttributeDefinition { attribute_name: set(name), attribute_type: attribute_type(name) };
        self.properties.attribute_definitions = Some(self.keys.iter().map(definition).collect());
        let table = stack.resource(&self.logical_id, Resource::of(self.properties).removal(self.removal));
        TableHandle { table, indexes: self.indexes }
    }
}

impl TableHandle {
    /// Returns the table's name.
    #[must_use]
    pub fn name(&self) -> Text {
        self.table.id()
    }

    /// Returns the table's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.table.attribute("Arn")
    }

    /// Returns the ARN of the table's stream.
    #[must_use]
    pub fn stream_arn(&self) -> Text {
        self.table.attribute("StreamArn")
    }

    /// Allows what Lambda requires of the role of a function that an event source mapping invokes with the changes of the
    /// table (Lambda developer guide, "Process DynamoDB records with Lambda": execution role permissions).
    #[must_use]
    pub fn consume_stream(&self) -> Vec<Statement> {
        let actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];
        vec![
            Statement::allow(actions, [self.stream_arn()]),
            // A list of the account, which has no resource.
            Statement::allow(["dynamodb:ListStreams"], [Text::from("*")]),
        ]
    }

    fn index_arn(&self, name: &str) -> Text {
        Expression::sub(&format!("${{Table}}/index/{name}"), [("Table", self.arn())]).into()
    }

    /// Allows these operations on the table's items. `Query` also allows queries of its indexes.
    #[must_use]
    pub fn allow(&self, access: &[Access]) -> Vec<Statement> {
        let mut statements = self.allow_on_items(access);
        if access.contains(&Access::Query) {
            statements.extend(self.indexes.iter().flat_map(|index| self.query_index(index)));
        }
        statements
    }

    /// Allows these operations on the table's items, and none on its indexes.
    #[must_use]
    pub fn allow_on_items(&self, access: &[Access]) -> Vec<Statement> {
        vec![Statement::allow(access.iter().map(|access| access.action()), [self.arn()])]
    }

    /// Allows reading the table's description, and no item.
    #[must_use]
    pub fn describe(&self) -> Vec<Statement> {
        vec![Statement::allow(["dynamodb:DescribeTable"], [self.arn()])]
    }

    /// Allows scans of the table that read these attributes only: each request must name the attributes that it returns, filters
    /// included (DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control": `dynamodb:Attributes` and
    /// `dynamodb:Select`).
    ///
    /// A scan reads, and costs, the whole table. The role needs an exception with the reason, see
    /// [`Requirement::TableScan`](crate::requirements::Requirement::TableScan).
    #[must_use]
    pub fn scan_attributes(&self, attributes: &[&str]) -> Vec<Statement> {
        let condition = json!({
            "ForAllValues:StringEquals": { "dynamodb:Attributes": attributes },
            "StringEqualsIfExists": { "dynamodb:Select": "SPECIFIC_ATTRIBUTES" },
        });
        vec![Statement::allow(["dynamodb:Scan"], [self.arn()]).when(condition)]
    }

    /// Allows queries of one index only.
    #[must_use]
    pub fn query_index(&self, name: &str) -> Vec<Statement> {
        vec![Statement::allow([Access::Query.action()], [self.index_arn(name)])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_attributes_of_table_and_indexes_are_defined_once() {
        let mut stack = Stack::new("data", "Data.");
        let table = Table::new("Tasks", "tasks", ("PK", Some("SK")), &Stage::example("dev"))
            .index("ByUser", ("User", Some("SK")))
            .expires("ExpiresAt");
        let handle = stack.add(table);
        let properties = stack.resources["Tasks"].to_json()["Properties"].clone();
        let names: Vec<_> = properties["AttributeDefinitions"].as_array().expect("definitions").iter().collect();
        let defined = |name| json!({ "AttributeName": name, "AttributeType": "S" });
        assert_eq!(names, [&defined("PK"), &defined("SK"), &defined("User")]);
        assert_eq!(properties["KeySchema"][1], json!({ "AttributeName": "SK", "KeyType": "RANGE" }));
        assert_eq!(handle.allow(&[Access::GetItem]).len(), 1);
        assert_eq!(handle.allow(&[Access::GetItem, Access::Query]).len(), 2);
    }

    #[test]
    fn a_scan_reads_named_attributes_only() {
        let mut stack = Stack::new("data", "Data.");
        let table = stack.add(Table::new("Tasks", "tasks", ("PK", None), &Stage::example("dev")));
        let document = crate::parts::policy::document(&table.scan_attributes(&["PK", "ExpiresAt"]));
        let statement = &document["Statement"][0];
        assert_eq!(statement["Action"], json!(["dynamodb:Scan"]));
        assert_eq!(
            statement["Condition"]["ForAllValues:StringEquals"],
            json!({ "dynamodb:Attributes": ["PK", "ExpiresAt"] })
        );
        assert_eq!(statement["Condition"]["StringEqualsIfExists"], json!({ "dynamodb:Select": "SPECIFIC_ATTRIBUTES" }));
    }

    #[test]
    fn indexes_project_what_their_queries_need() {
        let mut stack = Stack::new("data", "Data.");
        let table = Table::new("Tasks", "tasks", ("PK", None), &Stage::example("dev"))
            .index_including("ByTime", ("User", Some("At")), &["Title"])
            .index_keys_only("ByState", ("State", Some("At")))
            .number_key("At");
        stack.add(table);
        let properties = stack.resources["Tasks"].to_json()["Properties"].clone();
        let projection = |index: usize| properties["GlobalSecondaryIndexes"][index]["Projection"].clone();
        assert_eq!(projection(0), json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["Title"] }));
        assert_eq!(projection(1), json!({ "ProjectionType": "KEYS_ONLY" }));
        let types: Vec<_> = properties["AttributeDefinitions"].as_array().expect("definitions").iter().collect();
        let defined = |name, kind| json!({ "AttributeName": name, "AttributeType": kind });
        assert_eq!(types, [&defined("At", "N"), &defined("PK", "S"), &defined("State", "S"), &defined("User", "S")]);
    }

    #[test]
    fn a_table_is_retained_except_in_stage_local() {
        for (name, is_retained) in [("dev", true), ("local", false)] {
            let mut stack = Stack::new("data", "Data.");
            stack.add(Table::new("Tasks", "tasks", ("PK", None), &Stage::example(name)));
            assert_eq!(stack.resources["Tasks"].to_json()["DeletionPolicy"].is_string(), is_retained, "{name}");
        }
    }
}
