//! The plan against a commit: needs no account.

use std::collections::BTreeSet;

use model::{
    rendered::{FunctionId, RenderedFunction, RenderedSystem},
    stage::Stage,
};
use plan::{
    file::Selection,
    preview::{self, Baseline, BaselineStack, CodeChange, Preview},
};

use super::PlanArgs;
use crate::{
    context::Context,
    render::{self, Difference},
    sources::{self, git::Git},
};

/// Compares the rendered templates, and the functions' sources, with a commit.
///
/// # Errors
///
/// When the history or the committed templates cannot be read.
pub(super) fn plan(
    stage: &Stage,
    selected: &[RenderedSystem],
    args: &PlanArgs,
    context: &Context,
) -> miette::Result<Preview> {
    let (workspace, ui) = (&context.workspace, &context.ui);
    let git = Git::around(workspace.root())?;
    let commit = match &args.against {
        Some(reference) => git.commit(reference)?,
        None => git.merge_base_with_main()?,
    };
    let templates = sources::templates::at(&git, &commit, &stage.name)?;
    if templates.is_empty() {
        ui.say(format_args!("Commit {} has no templates of {}: everything is new.", commit.short(), stage.name));
    }
    let sources::code::Comparison { changed, binaries } = sources::code::changed(&git, &commit, workspace.root())?;
    missing_binaries(selected, binaries.as_ref()).iter().for_each(|missing| ui.warn(missing));
    let stacks = templates
        .into_iter()
        .map(|(name, template)| (name, BaselineStack { template, ..BaselineStack::default() }))
        .collect();
    let baseline = Baseline { name: format!("{} ({})", commit.name, commit.short()), stacks };
    let code = code_changes(selected, &baseline, &changed);
    let mut preview = preview::preview(stage, selected, &baseline, None, code);
    if args.selection.selection() == Selection::default() {
        preview::add_orphans(&mut preview, &baseline);
        warn_of_stale_templates(stage, selected, context)?;
    }
    Ok(preview)
}

/// The functions of existing stacks whose code differs from the commit's.
fn code_changes(selected: &[RenderedSystem], baseline: &Baseline, changed: &sources::code::Changed) -> Vec<CodeChange> {
    let existing = render::stacks_of(selected).filter(|stack| baseline.stacks.contains_key(&stack.name));
    let change = |function: &RenderedFunction| {
        let reason = changed.get(&function.id.binary)?.clone();
        Some(CodeChange { function: function.function_name.clone(), reason })
    };
    existing.flat_map(|stack| &stack.functions).filter_map(change).collect()
}

/// The binaries of functions that no member of the workspace has, each as a warning. `known` are those of the members.
fn missing_binaries(selected: &[RenderedSystem], known: Option<&BTreeSet<String>>) -> BTreeSet<String> {
    let Some(known) = known else { return BTreeSet::new() };
    let functions = render::stacks_of(selected).flat_map(|stack| &stack.functions).map(|function| &function.id);
    let missing = functions.filter(|id| !known.contains(&id.binary)).map(|FunctionId { binary, system, .. }| {
        format!(
            "no member of the workspace has the binary `{binary}`, so its code is not compared and a deploy would fail; add \
             lambdas/{system} to `members` in Cargo.toml, and a [[bin]] of that name to lambdas/{system}/Cargo.toml"
        )
    });
    missing.collect()
}

/// Warns of committed templates that differ from the rendered ones, which the plan is made from.
fn warn_of_stale_templates(stage: &Stage, systems: &[RenderedSystem], context: &Context) -> miette::Result<()> {
    let files = render::files(stage, systems);
    let templates = context.workspace.templates();
    for (path, difference) in render::differences(&templates, std::slice::from_ref(&stage.name), &files)? {
        let state = match difference {
            Difference::Missing => "does not exist",
            Difference::Orphaned => "belongs to no stack",
            // The plan is the same: YAML reads every end of a line alike.
            Difference::LineEndings => continue,
            Difference::Stale(_) => "is stale, or was edited by hand",
        };
        context.ui.warn(format_args!("templates/{path} {state}; the plan is made from the rendered templates"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::example::Example;

    use super::*;

    #[test]
    fn a_binary_that_no_member_has_is_named_with_its_folder() {
        let systems = Example::systems(&Example::stage_named("prod"));
        let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let missing = missing_binaries(&systems, Some(&known(&["notes-api"])));
        assert_eq!(missing.len(), 1, "{missing:?}");
        let missing = missing.first().expect("one");
        assert!(missing.contains("`feeds-fetch`") && missing.contains("add lambdas/feeds to `members`"), "{missing}");
        assert_eq!(missing_binaries(&systems, Some(&known(&["notes-api", "feeds-fetch"]))), BTreeSet::new());
        assert_eq!(missing_binaries(&systems, None), BTreeSet::new(), "nothing has changed");
    }
}
