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

/// The functions of the HTTP APIs share a binary.
const DOORS: &str = "doors";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Decide<V = String> {
    pub word: V,
}

impl<V> Function for Decide<V> {
    const NAME: FunctionName = FunctionName::new("notes", "decide", "DecideFunction").in_binary(DOORS);
}

#[derive(Serialize, Deserialize)]
pub struct Enter {}

impl Function for Enter {
    const NAME: FunctionName = FunctionName::new("notes", "enter", "EnterFunction").in_binary(DOORS);
}

#[derive(Serialize, Deserialize)]
pub struct Who {}

impl Function for Who {
    const NAME: FunctionName = FunctionName::new("notes", "who", "WhoFunction").in_binary(DOORS);
}

#[derive(Serialize, Deserialize)]
pub struct More {}

impl Function for More {
    const NAME: FunctionName = FunctionName::new("notes", "more", "MoreFunction").in_binary(DOORS);
}

#[derive(Clone, Copy, PartialEq)]
pub enum EnterRoute {
    Health,
    Enter,
}

impl Routes for EnterRoute {
    const ALL: &'static [Self] = &[Self::Health, Self::Enter];

    fn route(self) -> Route {
        match self {
            Self::Health => Route { method: Method::Get, path: "/health" },
            Self::Enter => Route { method: Method::Post, path: "/doors/{door}" },
        }
    }
}

#[derive(Clone, Copy)]
pub enum WhoRoute {
    Get,
}

impl Routes for WhoRoute {
    const ALL: &'static [Self] = &[Self::Get];

    fn route(self) -> Route {
        Route { method: Method::Get, path: "/who" }
    }
}

#[derive(Clone, Copy)]
pub enum MoreRoute {
    Get,
}

impl Routes for MoreRoute {
    const ALL: &'static [Self] = &[Self::Get];

    fn route(self) -> Route {
        Route { method: Method::Get, path: "/rooms/{path+}" }
    }
}
