//! The options that select stacks.

use clap::Args;
use plan::file::Selection;

/// The stacks that a command is limited to.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Only this system.
    #[arg(long)]
    system: Option<String>,
    /// Only this stack, for example `api` or `photos-api-dev`; repeat it for several. A system is released only if all of its
    /// stacks are selected.
    #[arg(long)]
    stack: Vec<String>,
    /// Only the stacks of this group, which a system declares; repeat it for several. --stack adds further stacks.
    #[arg(long)]
    group: Vec<String>,
}

impl SelectionArgs {
    /// Selects one system.
    pub(super) fn of_system(system: &str) -> Self {
        Self::from(Selection::of_system(Some(system)))
    }

    /// The selection, as plans record it.
    pub(super) fn selection(&self) -> Selection {
        Selection { system: self.system.clone(), stacks: self.stack.clone(), groups: self.group.clone() }
    }
}

impl From<Selection> for SelectionArgs {
    fn from(selection: Selection) -> Self {
        Self { system: selection.system, stack: selection.stacks, group: selection.groups }
    }
}
