mod doors;

use model::{
    parts::{
        api::RestApi,
        function::Function,
        table::{Access, Table},
    },
    rendered::{RenderedSystem, SmokeCheck},
    stage::Stage,
    template::{RenderError, Stack, System},
};
use notes_contract::{List, ListRoute};
use serde::Deserialize;

mod events;

pub struct Project;

impl model::project::Project for Project {
    fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
        let Some(Settings {}) = stage.settings("notes")? else { return Ok(Vec::new()) };
        Ok(vec![notes(stage).render(stage)?])
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

fn notes(stage: &Stage) -> System {
    let mut stack = Stack::new("api", "Notes: the table, the function and its API.");
    let table = stack.add(Table::new("NotesTable", &format!("notes-{}", stage.name), ("PK", None), stage));
    let environment = List { table_name: table.name() };
    let function = stack.add(Function::new(stage, environment).allow(table.allow(&[Access::Query])));
    let api = RestApi::new("NotesApi", format!("notes-{}", stage.name), stage).routes::<ListRoute>(&function);
    stack.add(api);
    let stacks = doors::stacks(stage).into_iter().chain([stack, events::stack(stage)]);
    doors::checked(System::new("notes", stacks)).smoke(SmokeCheck {
        api: "NotesApi".to_owned(),
        path: "/notes".to_owned(),
        status: 200,
        json: None,
    })
}
