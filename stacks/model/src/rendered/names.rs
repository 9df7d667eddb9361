//! The names that a rendered system declares: APIs, routes, functions, stacks, outputs. Each must exist.

use std::collections::{BTreeMap, BTreeSet};

use contract::Method;
use serde_json::Value;

use super::{
    LiveCheck, LiveKind, ParameterSource, RenderedApi, RenderedFunction, RenderedStack, RenderedSystem,
    RenderedWebSocket, SignIn,
};
use crate::template::RenderError;

/// Types that outputs must refer to, as CloudFormation and messages name them.
const CLIENT: (&str, &str) = ("AWS::Cognito::UserPoolClient", "user pool client");
const DISTRIBUTION: (&str, &str) = ("AWS::CloudFront::Distribution", "distribution");
const POOL: (&str, &str) = ("AWS::Cognito::UserPool", "user pool");
const TOPIC: (&str, &str) = ("AWS::SNS::Topic", "topic");
const WEB_SOCKET: (&str, &str) = ("AWS::ApiGatewayV2::Api", "WebSocket API");

impl RenderedSystem {
    /// Checks that everything which the system declares by name exists.
    ///
    /// Without this check, a smoke check of an API with a mistyped name would not run.
    ///
    /// # Errors
    ///
    /// The first name that does not exist, and the existing ones.
    pub fn check_names(&self) -> Result<(), RenderError> {
        let names = Names::of(self);
        names.check_stacks()?;
        names.check_groups()?;
        for smoke in &self.smoke {
            let by = format!("the smoke check of {}", smoke.path);
            names.route(&by, &smoke.api, Method::Get, &smoke.path)?;
        }
        for check in &self.live {
            names.live("the live check", check)?;
        }
        if let Some(latency) = &self.latency {
            names.live("the latency check", &latency.check)?;
        }
        if let Some(sign_in) = &self.sign_in {
            names.check_sign_in(sign_in)?;
        }
        names.check_sites()?;
        let Some(topic) = &self.alarm_topic else { return Ok(()) };
        names.output("the alarm topic", &topic.stack, &topic.output, Some(TOPIC))
    }
}

struct Names<'a> {
    system: &'a RenderedSystem,
    stacks: BTreeMap<&'a str, &'a RenderedStack>,
    apis: BTreeMap<&'a str, &'a RenderedApi>,
    /// The names of functions in Lambda.
    functions: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(system: &'a RenderedSystem) -> Self {
        let stacks = || system.stacks.iter();
        let functions = stacks().flat_map(|stack| &stack.functions);
        // Of two APIs with one logical ID, the first counts.
        let apis = stacks().rev().flat_map(|stack| stack.apis.iter().rev());
        Self {
            system,
            stacks: stacks().map(|stack| (stack.stack.as_str(), stack)).collect(),
            apis: apis.map(|api| (api.logical_id.as_str(), api)).collect(),
            functions: functions.map(|function| function.function_name.as_str()).collect(),
        }
    }

    fn check_stacks(&self) -> Result<(), RenderError> {
        for stack in &self.system.stacks {
            let by = |what: &str, name: &str| format!("{what} {name} of stack {}", stack.stack);
            for function in &stack.functions {
                self.check_name(stack, function)?;
                let by = by("function", &function.function_name);
                self.resource(&by, stack, &function.id.logical_id, "AWS::Lambda::Function")?;
                self.resource(&by, stack, &function.alias_logical_id, "AWS::Lambda::Alias")?;
            }
            for layer in &stack.layers {
                self.resource(&by("layer", &layer.layer), stack, &layer.logical_id, "AWS::Lambda::LayerVersion")?;
            }
            for api in &stack.apis {
                let by = by("API", &api.logical_id);
                let kind = api.kind.resource_type();
                self.resource(&by, stack, &api.logical_id, kind)?;
                self.output(&by, &stack.stack, &api.id_output, Some((kind, "API")))?;
                self.output(&by, &stack.stack, &api.url_output, None)?;
                for method in &api.methods {
                    self.stack(&format!("{} of {by}", method.title()), &method.stack)?;
                    self.function(&format!("{} of {by}", method.title()), &method.function)?;
                }
            }
            for api in &stack.web_sockets {
                self.check_web_socket(stack, api)?;
            }
            for (parameter, source) in &stack.parameters {
                if let ParameterSource::Output { stack: other, output } = source {
                    self.output(&by("parameter", parameter), other, output, None)?;
                }
            }
        }
        Ok(())
    }

    fn check_web_socket(&self, stack: &RenderedStack, api: &RenderedWebSocket) -> Result<(), RenderError> {
        let by = format!("WebSocket API {} of stack {}", api.logical_id, stack.stack);
        self.resource(&by, stack, &api.logical_id, WEB_SOCKET.0)?;
        self.output(&by, &stack.stack, &api.id_output, Some(WEB_SOCKET))?;
        self.output(&by, &stack.stack, &api.url_output, None)?;
        for route in &api.routes {
            self.function(&format!("route {} of {by}", route.key), &route.function)?;
        }
        api.authorizer.iter().try_for_each(|function| self.function(&format!("the authorizer of {by}"), function))
    }

    /// Permissions and clean-ups are limited by names, so the name of a function contains system and stage.
    fn check_name(&self, stack: &RenderedStack, function: &RenderedFunction) -> Result<(), RenderError> {
        let (system, stage, name) = (&function.id.system, stack.stage(), &function.function_name);
        if is_named_for(name, system, stage) {
            return Ok(());
        }
        let message = format!(
            "function {} of stack {} is named `{name}`; name it like `{system}-…-{stage}` or `{system}-…-{stage}-…`, because permissions \
             are limited by names",
            function.id.logical_id, stack.stack
        );
        Err(RenderError::Settings { system: stack.system.clone(), message })
    }

    fn check_groups(&self) -> Result<(), RenderError> {
        let known = || self.system.stacks.iter().map(|stack| stack.stack.clone()).collect::<Vec<_>>();
        for (group, stacks) in &self.system.groups {
            if let Some(unknown) = stacks.iter().find(|name| !self.stacks.contains_key(name.as_str())) {
                return Err(self.unknown(&format!("group `{group}`"), "stack", unknown, known()));
            }
        }
        Ok(())
    }

    fn check_sign_in(&self, sign_in: &SignIn) -> Result<(), RenderError> {
        let by = "the sign-in";
        self.output(by, &sign_in.stack, &sign_in.pool_output, Some(POOL))?;
        self.output(by, &sign_in.stack, &sign_in.client_output, Some(CLIENT))?;
        let exchange = sign_in.exchange.as_ref().map(|exchange| &exchange.check);
        exchange.into_iter().chain(&sign_in.checks).try_for_each(|check| self.live("the check after sign-in", check))
    }

    fn check_sites(&self) -> Result<(), RenderError> {
        for site in &self.system.sites {
            let by = format!("site {}", site.name);
            self.output(&by, &site.stack, &site.bucket_output, None)?;
            self.output(&by, &site.stack, &site.distribution_output, Some(DISTRIBUTION))?;
            self.output(&by, &site.stack, &site.url_output, None)?;
            for (field, value) in &site.config {
                self.output(&format!("field {field} of site {}", site.name), &value.stack, &value.output, None)?;
            }
        }
        Ok(())
    }

    fn live(&self, what: &str, check: &LiveCheck) -> Result<(), RenderError> {
        let by = format!("{what} {}", check.title());
        match check.kind {
            LiveKind::Absent => return self.no_route(&by, check),
            LiveKind::Connect => return self.web_socket(&by, &check.api),
            _ => {}
        }
        self.route(&by, &check.api, check.method, &check.path)?;
        // A browser asks for permission to use the method that it needs.
        match check.preflighted() {
            Some(method) => self.route(&by, &check.api, method, &check.path),
            None => Ok(()),
        }
    }

    fn api(&self, by: &str, name: &str) -> Result<&RenderedApi, RenderError> {
        let all = || self.system.stacks.iter().flat_map(|stack| &stack.apis);
        let known = || all().map(|api| api.logical_id.clone()).collect();
        self.apis.get(name).copied().ok_or_else(|| self.unknown(by, "API", name, known()))
    }

    /// The WebSocket API must exist, and have an authorizer.
    fn web_socket(&self, by: &str, name: &str) -> Result<(), RenderError> {
        let apis =
            || self.system.stacks.iter().flat_map(|stack| &stack.web_sockets).filter(|api| api.authorizer.is_some());
        if apis().any(|api| api.logical_id == name) {
            return Ok(());
        }
        let known = apis().map(|api| api.logical_id.clone()).collect();
        Err(self.unknown(by, "WebSocket API with an authorizer", name, known))
    }

    /// The API must exist, and not serve the request.
    fn no_route(&self, by: &str, check: &LiveCheck) -> Result<(), RenderError> {
        let api = self.api(by, &check.api)?;
        let Some(served) = api.serving(check.method, &check.path) else { return Ok(()) };
        Err(RenderError::ServedRoute {
            system: self.system.name.clone(),
            by: by.into(),
            api: api.logical_id.as_str().into(),
            route: served.method.title(),
        })
    }

    /// The API must exist, and serve the request.
    fn route(&self, by: &str, api: &str, method: Method, path: &str) -> Result<(), RenderError> {
        let api = self.api(by, api)?;
        let is_absolute = path.starts_with('/');
        if is_absolute && method == Method::Options && api.answers_preflights {
            return Ok(());
        }
        if is_absolute && api.serving(method, path).is_some() {
            return Ok(());
        }
        let what = format!("route of API {}", api.logical_id);
        Err(self.unknown(by, &what, &format!("{} {path}", method.as_str()), titles(api)))
    }

    fn stack(&self, by: &str, name: &str) -> Result<(), RenderError> {
        if self.stacks.contains_key(name) {
            return Ok(());
        }
        Err(self.unknown(by, "stack", name, self.system.stacks.iter().map(|stack| stack.stack.clone()).collect()))
    }

    fn function(&self, by: &str, name: &str) -> Result<(), RenderError> {
        if self.functions.contains(name) {
            return Ok(());
        }
        let all = self.system.stacks.iter().flat_map(|stack| &stack.functions);
        Err(self.unknown(by, "function", name, all.map(|function| function.function_name.clone()).collect()))
    }

    /// The stack must have the output; where the output is the ID of one of its resources, the resource must have the type.
    fn output(&self, by: &str, stack: &str, output: &str, wanted: Option<(&str, &str)>) -> Result<(), RenderError> {
        let known = || self.system.stacks.iter().map(|stack| stack.stack.clone()).collect();
        let found = self.stacks.get(stack);
        let found = found.ok_or_else(|| self.unknown(by, "stack", stack, known()))?;
        let outputs = &found.template["Outputs"];
        let Some(value) = outputs.get(output).map(|output| &output["Value"]) else {
            let what = format!("output of stack {stack}");
            return Err(self.unknown(by, &what, output, keys(outputs)));
        };
        let Some((wanted, noun)) = wanted else { return Ok(()) };
        // A parameter may hold the ID of another stack's resource.
        let referenced = value["Ref"].as_str().and_then(|id| found.template["Resources"].get(id));
        match referenced.and_then(|resource| resource["Type"].as_str()) {
            Some(actual) if actual != wanted => Err(RenderError::WrongOutput {
                system: self.system.name.clone(),
                by: by.into(),
                noun: noun.into(),
                stack: stack.to_owned(),
                output: output.to_owned(),
                actual: actual.into(),
            }),
            _ => Ok(()),
        }
    }

    fn resource(&self, by: &str, stack: &RenderedStack, logical_id: &str, kind: &str) -> Result<(), RenderError> {
        let resources = &stack.template["Resources"];
        if resources[logical_id]["Type"] == kind {
            return Ok(());
        }
        let all = resources.as_object().into_iter().flatten();
        let known = all.filter(|(_, resource)| resource["Type"] == kind).map(|(id, _)| id.clone()).collect();
        Err(self.unknown(by, kind, logical_id, known))
    }

    fn unknown(&self, by: &str, what: &str, name: &str, known: Vec<String>) -> RenderError {
        RenderError::UnknownName {
            system: self.system.name.clone(),
            by: by.into(),
            what: what.into(),
            name: name.to_owned(),
            known,
        }
    }
}

/// Returns whether a name begins with `<system>-` and contains the stage as a whole part: `<system>-<stage>`, `…-<stage>` or `…-<stage>-…`.
fn is_named_for(name: &str, system: &str, stage: &str) -> bool {
    let rest = name.strip_prefix(system).filter(|rest| rest.starts_with('-'));
    rest.is_some_and(|rest| {
        let (rest, part) = (format!("{rest}-"), format!("-{stage}-"));
        // Twice would be the name of a stage within the name of a function, which another stage's patterns match.
        rest.match_indices(&part).count() == 1 && !rest.contains(&format!("{part}{stage}-"))
    })
}

fn titles(api: &RenderedApi) -> Vec<String> {
    api.methods.iter().filter(|own| own.method != Some(Method::Options)).map(|own| own.title()).collect()
}

fn keys(object: &Value) -> Vec<String> {
    object.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{example::Example, project::Project as _};

    fn notes() -> RenderedSystem {
        let systems = Example.render(&Example::stage_named("prod")).expect("the example renders");
        systems.into_iter().find(|system| system.name == crate::example::NOTES).expect("notes")
    }

    fn error_after(change: impl FnOnce(&mut RenderedSystem)) -> String {
        let mut system = notes();
        change(&mut system);
        system.check_names().expect_err("a name that does not exist").to_string()
    }

    #[test]
    fn every_name_of_the_example_exists() {
        assert_eq!(notes().check_names(), Ok(()));
    }

    #[test]
    fn a_check_of_an_api_or_route_that_does_not_exist_is_refused() {
        let error = error_after(|system| system.smoke[0].api = "NoteApi".to_owned());
        assert_eq!(
            error,
            "system `notes`: the smoke check of /notes/1 names API `NoteApi`, which does not exist; choose one of: NotesApi"
        );
        let error = error_after(|system| system.smoke[0].path = "/note/1".to_owned());
        assert!(error.contains("route of API NotesApi `GET /note/1`"), "{error}");
        assert!(error.ends_with("choose one of: GET /notes/{id}, PUT /notes/{id}"), "{error}");
        let error = error_after(|system| system.smoke[0].path = "notes/1".to_owned());
        assert!(error.contains("`GET notes/1`"), "{error}");
        let error = error_after(|system| system.live[0].method = Method::Delete);
        assert!(error.contains("the live check DELETE /notes/1 names route"), "{error}");
        let error = error_after(|system| {
            system.live[0] = LiveCheck::preflight("NotesApi", Method::Delete, "/notes/1", "https://example.com");
        });
        assert!(error.contains("`DELETE /notes/1`"), "{error}");
        let error = error_after(|system| {
            let sign_in = system.sign_in.as_mut().expect("a sign-in");
            sign_in.checks[0].path = "/".to_owned();
        });
        assert!(error.contains("the check after sign-in GET / names"), "{error}");
    }

    #[test]
    fn a_group_of_a_stack_that_does_not_exist_is_refused() {
        let with = |stack: &'static str| {
            move |system: &mut RenderedSystem| {
                system.groups = [("all".to_owned(), vec!["data".to_owned(), stack.to_owned()])].into();
            }
        };
        let mut system = notes();
        with("api")(&mut system);
        assert_eq!(system.check_names(), Ok(()));
        let error = error_after(with("apis"));
        assert!(
            error.contains("group `all` names stack `apis`, which does not exist; choose one of: data, api"),
            "{error}"
        );
    }

    #[test]
    fn a_check_of_an_absent_route_needs_the_api_and_no_route() {
        let live = |check: LiveCheck| move |system: &mut RenderedSystem| system.live = vec![check];
        let mut system = notes();
        live(LiveCheck::has_no_route("NotesApi", Method::Get, "/admin"))(&mut system);
        live(LiveCheck::has_no_route("NotesApi", Method::Delete, "/notes/1"))(&mut system);
        assert_eq!(system.check_names(), Ok(()));
        let error = error_after(live(LiveCheck::has_no_route("NoteApi", Method::Get, "/admin")));
        assert!(error.contains("GET /admin, no route names API `NoteApi`, which does not exist"), "{error}");
        assert_eq!(
            error_after(live(LiveCheck::has_no_route("NotesApi", Method::Get, "/notes/1"))),
            "system `notes`: the live check GET /notes/1, no route requires that API NotesApi does not serve the request, but \
             `GET /notes/{id}` does; remove the check or the route"
        );
    }

    #[test]
    fn an_output_that_does_not_exist_is_refused() {
        type Change = fn(&mut RenderedSystem);
        let changes: [(Change, &str); 8] = [
            (
                |system| system.sign_in.as_mut().expect("one").stack = "users".to_owned(),
                "the sign-in names stack `users`",
            ),
            (
                |system| system.sign_in.as_mut().expect("one").pool_output = "Pool".to_owned(),
                "output of stack data `Pool`",
            ),
            (|system| system.sites[0].bucket_output = "Bucket".to_owned(), "site NotesSite names output of stack web"),
            (
                |system| system.sites[0].config.values_mut().for_each(|value| value.output = "ApiUrl".to_owned()),
                "field apiUrl of site NotesSite names output of stack api `ApiUrl`",
            ),
            (|system| system.alarm_topic.as_mut().expect("one").output = "Topic".to_owned(), "the alarm topic names"),
            (
                |system| {
                    let api = system.stacks.iter_mut().find(|stack| !stack.apis.is_empty()).expect("an API");
                    api.template["Outputs"].as_object_mut().expect("outputs").remove("NotesApiUrl");
                },
                "API NotesApi of stack api names output of stack api `NotesApiUrl`",
            ),
            (
                |system| {
                    let api = system.stacks.iter_mut().find(|stack| !stack.apis.is_empty()).expect("an API");
                    api.apis[0].methods[0].function = "notes-gone-prod".to_owned();
                },
                "names function `notes-gone-prod`, which does not exist; choose one of: notes-api-prod",
            ),
            (
                |system| {
                    let api = system.stacks.iter_mut().find(|stack| !stack.apis.is_empty()).expect("an API");
                    api.apis[0].methods[0].stack = "gone".to_owned();
                },
                "of API NotesApi of stack api names stack `gone`, which does not exist",
            ),
        ];
        for (change, expected) in changes {
            let error = error_after(change);
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn an_output_with_the_id_of_another_kind_of_resource_is_refused() {
        let error = error_after(|system| {
            let sign_in = system.sign_in.as_mut().expect("a sign-in");
            std::mem::swap(&mut sign_in.pool_output, &mut sign_in.client_output);
        });
        assert_eq!(
            error,
            "system `notes`: the sign-in requires a user pool, but output `UserClientId` of stack `data` is the ID of an \
             AWS::Cognito::UserPoolClient"
        );
    }
}
