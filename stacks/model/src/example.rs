//! A small project for tests: notes in one table behind one function, with one page; and feeds, a second system.

use contract::{Environment as _, Function as Contract, FunctionName, Method, Route, Routes};
use serde::{Deserialize, Serialize};

use crate::{
    parts::{
        api::RestApi,
        bucket::BucketName,
        cdn,
        email_pool::EmailPool,
        function::Function,
        secret::Secret,
        site::Site,
        table::{Access, Table, TableHandle},
        topic::{ARN_OUTPUT, Topic},
    },
    project::Project,
    rendered::{LiveCheck, RenderedSite, RenderedSystem, SignIn, SiteValue, SmokeCheck},
    stage::{Stage, StageError},
    template::{Expression, RenderError, Stack, System},
};
