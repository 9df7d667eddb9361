use contract::{Function, FunctionName, Method, Route, Routes};
use serde::{Deserialize, Serialize};

pub mod events;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct List<V = String> {
    pub table_name: V,
}

impl<V> Function for List<V> {
    const NAME: FunctionName = FunctionName::new("notes", "list", "ListFunction");
}

#[derive(Clone, Copy)]
pub enum ListRoute {
    Get,
}

impl Routes for ListRoute {
    const ALL: &'static [Self] = &[Self::Get];

    fn route(self) -> Route {
        Route { method: Method::Get, path: "/notes" }
    }
}
