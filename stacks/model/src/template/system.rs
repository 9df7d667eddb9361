//! A system: stacks that belong together, rendered in deploy order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    error::RenderError,
    json::sorted,
    render::{Declared, Exports, Resolver},
    stack::{Duplicate, Stack},
};
use crate::{
    parts::{
        api::{check_deployments, seal},
        http_api::merge,
    },
    rendered::{
        FormatVersion, Latency, LiveCheck, RenderedSite, RenderedStack, RenderedSystem, RenderedTopic, SignIn,
        SmokeCheck,
    },
    stage::Stage,
};

/// A backend: stacks that belong together.
#[derive(Debug, Clone)]
pub struct System {
    name: String,
    stacks: Vec<Stack>,
    groups: BTreeMap<String, Vec<String>>,
    smoke: Vec<SmokeCheck>,
    live: Vec<LiveCheck>,
    latency: Option<Latency>,
    sign_in: Option<SignIn>,
    sites: Vec<RenderedSite>,
    alarm_topic: Option<RenderedTopic>,
}

impl System {
    /// Creates a system of these stacks, in any order.
    #[must_use]
    pub fn new(name: &str, stacks: impl IntoIterator<Item = Stack>) -> Self {
        let stacks = stacks.into_iter().collect();
        Self {
            name: name.to_owned(),
            stacks,
            groups: BTreeMap::new(),
            smoke: Vec::new(),
            live: Vec::new(),
            latency: None,
            sign_in: None,
            sites: Vec::new(),
            alarm_topic: None,
        }
    }

    /// Names a group of stacks, which `--group` selects; the order of the names does not matter.
    #[must_use]
    pub fn group<'a>(mut self, name: &str, stacks: impl IntoIterator<Item = &'a str>) -> Self {
        self.groups.entry(name.to_owned()).or_default().extend(stacks.into_iter().map(str::to_owned));
        self
    }

    /// Adds a smoke check, which runs when the system is released.
    #[must_use]
    pub fn smoke(mut self, check: SmokeCheck) -> Self {
        self.smoke.push(check);
        self
    }

    /// Adds a check that runs from outside after a deploy.
    #[must_use]
    pub fn live(mut self, check: LiveCheck) -> Self {
        self.live.push(check);
        self
    }

    /// Sets the limits of the system's latency.
    #[must_use]
    pub fn latency(mut self, latency: Latency) -> Self {
        self.latency = Some(latency);
        self
    }

    /// Sets how a user signs in, and the requests that must succeed then.
    #[must_use]
    pub fn sign_in(mut self, sign_in: SignIn) -> Self {
        self.sign_in = Some(sign_in);
        self
    }

    /// Adds a static site.
    #[must_use]
    pub fn site(mut self, site: RenderedSite) -> Self {
        self.sites.push(site);
        self
    }

    /// Sets the topic that alarms and the results of deploys are sent to, by the stack's output with its ARN.
    #[must_use]
    pub fn alarm_topic(mut self, stack: &str, output: &str) -> Self {
        self.alarm_topic = Some(RenderedTopic { stack: stack.to_owned(), output: output.to_owned() });
        self
    }

    /// Renders every stack, in deploy order.
    ///
    /// # Errors
    ///
    /// When a reference or path does not exist, stacks take outputs from each other, a logical ID is used twice, API Gateway
    /// would refuse a route, a resource of an API is in another stack, or a check, sign-in or site names something that does not exist.
    pub fn render(mut self, stage: &Stage) -> Result<RenderedSystem, RenderError> {
        check_deployments(&self.name, &self.stacks)?;
        merge(&self.name, &mut self.stacks)?;
        seal(&mut self.stacks);
        let mut exports = Exports::new();
        let mut rendered = Vec::new();
        let declared = Declared::of(&self.stacks);
        for stack in &self.stacks {
            self.check(stack)?;
            let resolver = Resolver::new(&self.name, stack, &declared, &mut exports);
            rendered.push(resolver.render(&stage.name)?);
        }
        let places = rendered.iter().enumerate().map(|(place, stack)| (stack.stack.clone(), place));
        let places: BTreeMap<_, _> = places.collect();
        for ((owner, output), value) in exports {
            if let Some(stack) = places.get(&owner).and_then(|place| rendered.get_mut(*place)) {
                stack.template["Outputs"][&output] = json!({ "Value": value });
            }
        }
        for stack in &mut rendered {
            stack.template = sorted(std::mem::take(&mut stack.template));
        }
        let stacks = into_deploy_order(&self.name, rendered)?;
        let rendered = RenderedSystem {
            version: FormatVersion,
            name: self.name,
            stacks,
            groups: self.groups,
            smoke: self.smoke,
            live: self.live,
            latency: self.latency,
            sign_in: self.sign_in,
            sites: self.sites,
            alarm_topic: self.alarm_topic,
        };
        rendered.check_names()?;
        Ok(rendered)
    }

    /// Returns the first mistake that was made while the stack was built.
    fn check(&self, stack: &Stack) -> Result<(), RenderError> {
        let (system, name) = (self.name.clone(), stack.name.clone());
        if let Some(refused) = stack.refused_routes.first() {
            return Err(RenderError::Route { system, stack: name, refused: Box::new(refused.clone()) });
        }
        if let Some(Duplicate { logical_id, first, second }) = stack.duplicates.first() {
            return Err(RenderError::Duplicate {
                system,
                stack: name,
                logical_id: logical_id.clone(),
                first: first.to_string().into(),
                second: second.to_string().into(),
            });
        }
        if let Some((logical_id, path)) = stack.unknown_paths.first() {
            let (logical_id, path) = (logical_id.clone(), path.clone());
            return Err(RenderError::UnknownPath { system, stack: name, logical_id, path });
        }
        Ok(())
    }
}

/// Puts every stack after those whose outputs it takes, and keeps the given order otherwise.
fn into_deploy_order(system: &str, stacks: Vec<RenderedStack>) -> Result<Vec<RenderedStack>, RenderError> {
    let places: BTreeMap<_, _> = stacks.iter().enumerate().map(|(place, stack)| (stack.stack.clone(), place)).collect();
    let mut dependents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, stack) in stacks.iter().enumerate() {
        for needed in stack.depends_on.iter().filter_map(|needed| places.get(needed)) {
            dependents.entry(*needed).or_default().push(place);
        }
    }
    // The stacks that each waits for; of those that wait for none, the first is next.
    let mut waits: Vec<usize> = stacks.iter().map(|stack| stack.depends_on.len()).collect();
    let mut ready: BTreeSet<usize> = (0..stacks.len()).filter(|place| waits[*place] == 0).collect();
    let mut waiting: Vec<Option<RenderedStack>> = stacks.into_iter().map(Some).collect();
    let mut ordered = Vec::new();
    while let Some(next) = ready.pop_first() {
        ordered.extend(waiting[next].take());
        for dependent in dependents.get(&next).into_iter().flatten() {
            waits[*dependent] -= 1;
            if waits[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    let waiting: Vec<_> = waiting.into_iter().flatten().collect();
    if waiting.is_empty() {
        return Ok(ordered);
    }
    Err(RenderError::Cycle { system: system.to_owned(), stacks: find_cycle(&waiting) })
}

/// Returns stacks of which each takes outputs from the next, and the last from the first. Every stack of `waiting` takes
/// outputs from another one of them.
fn find_cycle(waiting: &[RenderedStack]) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut next = waiting.first();
    while let Some(stack) = next {
        if let Some(start) = path.iter().position(|name| *name == stack.stack) {
            path.drain(..start);
            break;
        }
        path.push(&stack.stack);
        next = waiting.iter().find(|other| stack.depends_on.contains(&other.stack));
    }
    path.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::resource::Resource;

    fn queue(properties: serde_json::Value) -> Resource {
        Resource::new("AWS::SQS::Queue", properties)
    }

    #[test]
    fn both_resources_of_one_logical_id_are_named_with_their_places() {
        let mut stack = Stack::new("one", "1");
        let stage = Stage::example("dev");
        let first = line!() + 1;
        stack.add(crate::parts::topic::Topic::new("Jobs", "jobs", &stage));
        let second = line!() + 1;
        stack.resource("Jobs", queue(json!({})));
        let error = System::new("test", [stack]).render(&stage).expect_err("a duplicate").to_string();
        assert!(
            error.starts_with("stack `one` of system `test` has two resources `Jobs`: one is added at "),
            "{error}"
        );
        for line in [first, second] {
            assert!(error.contains(&format!("{}:{line}:", file!())), "{line}: {error}");
        }
    }

    #[test]
    fn a_group_names_stacks_of_the_system() {
        let stacks = || ["one", "two"].map(|name| Stack::new(name, ""));
        let system = System::new("test", stacks()).group("first", ["one"]).group("all", ["two", "one"]);
        let groups = system.render(&Stage::example("dev")).expect("rendered").groups;
        assert_eq!(
            (&groups["first"], &groups["all"]),
            (&vec!["one".to_owned()], &vec!["two".to_owned(), "one".to_owned()])
        );
        let unknown = System::new("test", stacks()).group("all", ["three"]).render(&Stage::example("dev"));
        assert!(unknown.expect_err("refused").to_string().contains("group `all` names stack `three`"));
    }

    #[test]
    fn stacks_that_take_outputs_from_each_other_are_named() {
        let mut one = Stack::new("one", "1");
        let mut two = Stack::new("two", "2");
        let first = one.resource("First", queue(json!({})));
        let second = two.resource("Second", queue(json!({ "Name": first.id() })));
        one.resource("Third", queue(json!({ "Name": second.id() })));
        // Waits for the cycle without being part of it.
        let mut behind = Stack::new("behind", "0");
        behind.resource("Fourth", queue(json!({ "Name": first.id() })));
        let error = System::new("test", [behind, one, two]).render(&Stage::example("dev")).expect_err("a cycle");
        assert_eq!(error, RenderError::Cycle { system: "test".into(), stacks: vec!["one".into(), "two".into()] });
    }
}
