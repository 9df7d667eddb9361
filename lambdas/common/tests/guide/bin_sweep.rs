//! Starts the function `sweep`.

use std::process::ExitCode;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use notes_contract::Sweep;
use serde_json::Value;

fn main() -> ExitCode {
    common::start::<Sweep>(async |started| {
        let (client, table) = (Client::new(&started.aws), started.environment.table_name);
        // The event of a schedule carries no information.
        common::events::serve::<Sweep, Value, _>(async |_| {
            let query = client.query().table_name(&table).index_name("ByState").limit(100);
            let query = query.key_condition_expression("#state = :old").expression_attribute_names("#state", "State");
            let old = query.expression_attribute_values(":old", AttributeValue::S("old".to_owned())).send().await?;
            for id in old.items.unwrap_or_default().into_iter().filter_map(|mut note| note.remove("Id")) {
                client.delete_item().table_name(&table).key("Id", id).send().await?;
            }
            Ok(())
        })
        .await
    })
}
