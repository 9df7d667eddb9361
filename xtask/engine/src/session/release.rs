//! The inputs of a release of one system: its ledger, its sites, the metadata of its ledger entry, and its smoke checks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use contract::Method;
use model::{
    rendered::{RenderedSystem, SmokeCheck},
    stage::Strategy,
};
use plan::observed::Observed;

use super::Session;
use crate::{
    aws::documents::Documents,
    deploy::Outputs,
    error::one_line,
    ledger::{Entry, Ledger, needs_of_stack},
    lock::HeldLocks,
    release::{
        CanaryPlan, Known, LiveAliases, ReleaseContext, ReleaseMetadata, Settling,
        smoke::{DirectInvocation, SmokeTest},
    },
    site::Pages,
    sources::{SourcesError, git::Git},
};

/// A rollout strategy on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StrategyName {
    /// Shift all traffic to the new versions as soon as their probes pass.
    AllAtOnce,
    /// Shift traffic step by step while the new versions are as healthy as the old ones.
    Canary,
}

impl From<StrategyName> for Strategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::AllAtOnce => Self::AllAtOnce,
            StrategyName::Canary => Self::Canary,
        }
    }
}

/// The inputs of a release of one system.
pub(crate) struct SystemRelease<'a> {
    session: &'a Session,
    system: &'a RenderedSystem,
    pub(crate) ledger: Ledger<Documents>,
    pub(crate) pages: Pages<'a>,
    /// `None` shifts all traffic at once.
    pub(crate) canary: Option<CanaryPlan>,
    pub(crate) smoke_tests: Vec<SmokeTest>,
    /// The expected `CodeSha256` of each function, where it is known.
    pub(crate) code: BTreeMap<String, String>,
    /// What this run knows of functions.
    pub(crate) known: BTreeMap<String, Known>,
    pub(crate) metadata: ReleaseMetadata,
    pub(crate) settling: Settling,
}

impl SystemRelease<'_> {
    /// The context of the release's steps. `on_close` is called with each ledger entry that is closed.
    pub(crate) fn context<'a>(
        &'a self,
        locks: &'a HeldLocks<Documents>,
        on_close: &'a dyn Fn(&Entry),
    ) -> ReleaseContext<'a> {
        ReleaseContext {
            system: self.system,
            ledger: &self.ledger,
            locks,
            canary: self.canary.clone(),
            smoke_tests: self.smoke_tests.clone(),
            code: self.code.clone(),
            known: self.known.clone(),
            metadata: self.metadata.clone(),
            settling: self.settling,
            pages: &self.pages,
            clients: &self.session.clients,
            live: LiveAliases::default(),
            on_close,
            interruption: &self.session.context.interruption,
            ui: &self.session.context.ui,
        }
    }
}

impl Session {
    /// The inputs of a release of deployed code: all traffic is shifted at once.
    pub(crate) fn release_of<'a>(
        &'a self,
        system: &'a RenderedSystem,
        observed: &Observed,
        outputs: &Outputs,
        bucket: &str,
    ) -> SystemRelease<'a> {
        SystemRelease {
            session: self,
            system,
            ledger: self.ledger(bucket, &system.name),
            pages: self.pages(system, outputs, bucket),
            canary: None,
            smoke_tests: self.smoke_checks(system, outputs),
            code: BTreeMap::new(),
            known: BTreeMap::new(),
            metadata: self.metadata(system, observed),
            settling: Settling::Settled,
        }
    }

    /// The ledger of a system.
    pub(crate) fn ledger(&self, bucket: &str, system: &str) -> Ledger<Documents> {
        Ledger::new(Arc::new(self.clients.documents(bucket.to_owned())), system)
    }

    /// The sites of a system. Their configuration names the URLs at which its APIs are served: an emulator serves them at
    /// other URLs than the stacks' outputs say.
    pub(crate) fn pages<'a>(&'a self, system: &'a RenderedSystem, outputs: &Outputs, bucket: &str) -> Pages<'a> {
        let mut outputs = outputs.clone();
        for stack in &system.stacks {
            let Some(of_stack) = outputs.get_mut(&stack.name) else { continue };
            for api in &stack.apis {
                if let Some(url) = self.api_url(of_stack, api) {
                    of_stack.insert(api.url_output.clone(), url);
                }
            }
            for api in &stack.web_sockets {
                if let Some(url) = self.web_socket_url(of_stack, &api.id_output, &api.url_output) {
                    of_stack.insert(api.url_output.clone(), url);
                }
            }
        }
        Pages::new(system, outputs, bucket, &self.clients, &self.context.ui)
    }

    /// The canary of a release; `None` shifts all traffic at once. The command line comes before the stage file.
    pub(crate) fn canary(&self, strategy: Option<StrategyName>, bake_seconds: Option<u32>) -> Option<CanaryPlan> {
        let release = &self.stage.release;
        let strategy = strategy.map_or(release.strategy, Strategy::from);
        (strategy == Strategy::Canary).then(|| CanaryPlan {
            steps: release.steps.clone(),
            bake: Duration::from_secs(u64::from(bake_seconds.unwrap_or(release.bake_seconds))),
            minimum_requests: release.minimum_requests,
        })
    }

    /// The smoke checks of a system. That of an API which is not deployed fails.
    pub(crate) fn smoke_checks(&self, system: &RenderedSystem, outputs: &Outputs) -> Vec<SmokeTest> {
        let urls = self.urls_of(std::slice::from_ref(system), outputs);
        system.smoke.iter().map(|smoke| smoke_test(system, smoke, &urls)).collect()
    }

    /// The workspace's commit; `None` with a warning if git does not say which. Stage `local` needs no repository.
    pub(crate) fn commit(&self) -> Option<String> {
        if let Some(simulated) = self.context.surroundings.simulated() {
            return simulated.commit.clone();
        }
        let described = || match Git::around(self.context.workspace.root()).and_then(|git| git.describe()) {
            Ok(commit) => Some(commit),
            Err(SourcesError::NoRepository { .. } | SourcesError::UnknownReference { .. }) if self.stage.is_local() => {
                None
            }
            Err(error) => {
                let error = one_line(&error);
                self.context
                    .ui
                    .warn(format_args!("failed to read the commit, so releases and messages omit it: {error}"));
                None
            }
        };
        self.commit.get_or_init(described).clone()
    }

    /// What the ledger keeps of a release that is made now.
    fn metadata(&self, system: &RenderedSystem, observed: &Observed) -> ReleaseMetadata {
        ReleaseMetadata {
            stage: self.stage.name.clone(),
            system: system.name.clone(),
            who: self.caller.arn.clone(),
            commit: self.commit(),
            plan: None,
            alarms: self.stage.release.alarms.clone(),
            system_alarms: system_alarms(system),
            needs: templates(system, observed).flat_map(|(name, template)| needs_of_stack(name, template)).collect(),
            apis: deployed_apis(system, observed),
            sites: BTreeMap::new(),
        }
    }
}

/// Returns the deployments of a system's APIs; see [`Entry::apis`].
pub(crate) fn deployed_apis(system: &RenderedSystem, observed: &Observed) -> BTreeMap<String, String> {
    templates(system, observed).flat_map(|(name, template)| plan::api::deployments(name, template)).collect()
}

/// The templates of a system's deployed stacks, by the stacks' names.
fn templates<'a>(
    system: &'a RenderedSystem,
    observed: &'a Observed,
) -> impl Iterator<Item = (&'a str, &'a serde_json::Value)> {
    system.stacks.iter().filter_map(|stack| {
        let template = observed.stacks.get(&stack.name)?.template.as_ref()?;
        Some((stack.name.as_str(), template))
    })
}

/// The test of a smoke check. `urls` are those of the system's APIs, by logical ID.
fn smoke_test(system: &RenderedSystem, smoke: &SmokeCheck, urls: &BTreeMap<String, String>) -> SmokeTest {
    let url = match urls.get(&smoke.api) {
        Some(url) => Ok(format!("{}{}", url.trim_end_matches('/'), smoke.path)),
        None => Err(format!("{} is not deployed, so {} cannot be checked", smoke.api, smoke.path)),
    };
    SmokeTest { url, status: smoke.status, json: smoke.json.clone(), direct: direct(system, smoke) }
}

/// The function that serves a smoke check's path, where the API lets every caller through to it.
fn direct(system: &RenderedSystem, smoke: &SmokeCheck) -> Option<DirectInvocation> {
    let mut apis = system.stacks.iter().flat_map(|stack| &stack.apis);
    let api = apis.find(|api| api.logical_id == smoke.api)?;
    let served = api.serving(Method::Get, &smoke.path).filter(|served| served.method.is_open)?;
    Some(DirectInvocation {
        function_name: served.method.function.clone(),
        path: smoke.path.clone(),
        route: served.method.path.clone(),
        variables: served.variables,
        stage: api.stage_name.clone(),
        kind: api.kind,
    })
}

/// The names of the alarms in a system's own stacks.
fn system_alarms(system: &RenderedSystem) -> Vec<String> {
    let resources = system.stacks.iter().filter_map(|stack| stack.template["Resources"].as_object()).flatten();
    let alarms = resources.filter(|(_, resource)| {
        matches!(resource["Type"].as_str(), Some("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm"))
    });
    alarms.filter_map(|(_, alarm)| alarm["Properties"]["AlarmName"].as_str().map(str::to_owned)).collect()
}

/// Whether a system has functions to release.
pub(crate) fn has_functions(system: &RenderedSystem) -> bool {
    system.stacks.iter().any(|stack| !stack.functions.is_empty())
}

#[cfg(test)]
mod tests {
    use model::example::{Example, NOTES};

    use super::*;

    fn notes() -> RenderedSystem {
        let systems = Example::systems(&Example::stage_named("prod"));
        systems.into_iter().find(|system| system.name == NOTES).expect("notes")
    }

    fn check(path: &str) -> SmokeCheck {
        SmokeCheck { api: "NotesApi".to_owned(), path: path.to_owned(), status: 404, json: None }
    }

    #[test]
    fn a_check_of_a_path_with_variables_is_asked_of_the_function_itself() {
        let direct = direct(&notes(), &check("/notes/no-such-note?full=true")).expect("an open route");
        assert_eq!((direct.function_name.as_str(), direct.route.as_str()), ("notes-api-prod", "/notes/{id}"));
        assert_eq!(direct.variables, BTreeMap::from([("id".to_owned(), "no-such-note".to_owned())]));
        assert_eq!(direct.path, "/notes/no-such-note?full=true");
    }

    #[test]
    fn a_guarded_route_is_not_asked_directly() {
        let mut notes = notes();
        let apis = notes.stacks.iter_mut().flat_map(|stack| &mut stack.apis);
        apis.flat_map(|api| &mut api.methods).for_each(|method| method.is_open = false);
        assert_eq!(direct(&notes, &check("/notes/1")), None);
    }

    #[test]
    fn no_check_is_dropped() {
        let (notes, check) = (notes(), check("/notes/1"));
        let test = smoke_test(&notes, &check, &BTreeMap::new());
        assert_eq!(test.url, Err("NotesApi is not deployed, so /notes/1 cannot be checked".to_owned()));
        let urls = [("NotesApi".to_owned(), "https://api.example.com/prod/".to_owned())].into();
        assert_eq!(smoke_test(&notes, &check, &urls).url, Ok("https://api.example.com/prod/notes/1".to_owned()));
    }
}
