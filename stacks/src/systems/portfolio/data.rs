//! Stack `data`: the table.

use model::{
    parts::table::{Table, TableHandle},
    stage::Stage,
    template::Stack,
};
use portfolio_contract::{INDEX, TIME_TO_LIVE};

/// Builds the stack; also returns its table.
pub(super) fn stack(stage: &Stage) -> (Stack, TableHandle) {
    let mut stack = Stack::new("data", "Portfolio: its table.");
    let name = match stage.name.as_str() {
        "prod" => "portfolio-api-table".to_owned(),
        other => format!("{other}-portfolio-api-table"),
    };
    let table = Table::new("PortfolioTable", &name, ("PK", Some("SK")), stage)
        .index(INDEX, ("GSI1PK", Some("GSI1SK")))
        .expires(TIME_TO_LIVE)
        .recoverable()
        .stream()
        .tag("Environment", &stage.name)
        .tag("Application", "PortfolioAPI");
    let table = stack.add(table);
    stack.output("PortfolioTableName", table.name());
    stack.output("PortfolioTableArn", table.arn());
    stack.output("PortfolioTableStreamArn", table.table.attribute("StreamArn"));
    (stack, table)
}
