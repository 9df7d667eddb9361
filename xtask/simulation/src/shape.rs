//! The shape of a project: its systems, stacks, functions and resources, as plain data, and the changes of a shape.
//!
//! Each item has a number that no other item of the shape ever had, so that a removed resource never returns under its former name.

use serde::{Deserialize, Serialize};
use simulated_aws::chance::Chance;

/// The names of systems.
pub const SYSTEMS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The names of stacks within a system.
pub const STACKS: [&str; 8] = ["data", "work", "api", "jobs", "mail", "feed", "logs", "tools"];
/// The sizes of functions, in megabytes.
const MEMORY: [u16; 4] = [128, 256, 512, 1024];
/// How many numbers a shape may use up.
const NUMBERS: u8 = 60;

/// The shape of a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Whether releases shift traffic in steps.
    pub canary: bool,
    /// Whether stacks are deployed in express mode.
    #[serde(default)]
    pub express: bool,
    /// The systems, at least one.
    pub systems: Vec<SystemShape>,
    /// The number of the next item.
    pub next: u8,
}

/// A system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SystemShape {
    /// Its name, by its place in [`SYSTEMS`].
    pub name: u8,
    /// Its stacks, in an order in which each refers to earlier ones only.
    pub stacks: Vec<StackShape>,
    /// The content of its site, if it has one.
    pub site: Option<u8>,
    /// Whether its first function serves an API with a smoke check.
    pub api: bool,
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackShape {
    /// Its name, by its place in [`STACKS`].
    pub name: u8,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// A part of a stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The number in its names.
    pub number: u8,
    /// What it is.
    pub kind: Kind,
}

/// The kind of a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A function.
    Function {
        /// Its memory, in megabytes.
        memory: u16,
        /// A value in its environment.
        variable: u8,
        /// Whether it reads the first table of its own stack or an earlier one.
        reads: bool,
        /// Whether an alarm watches its errors.
        alarm: bool,
    },
    /// A table; a change of its key replaces it.
    Table {
        /// Its key.
        key: u8,
    },
    /// A bucket.
    Bucket,
    /// A user pool.
    Pool,
    /// A generated secret.
    Secret,
    /// A queue.
    Queue,
}

impl Kind {
    /// Whether deleting it loses data.
    #[must_use]
    pub const fn is_stateful(&self) -> bool {
        matches!(self, Self::Table { .. } | Self::Bucket | Self::Pool | Self::Secret)
    }

    /// The word in names.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Function { .. } => "function",
            Self::Table { .. } => "table",
            Self::Bucket => "bucket",
            Self::Pool => "pool",
            Self::Secret => "secret",
            Self::Queue => "queue",
        }
    }
}

/// A change of a shape. Targets are counted over all candidates, modulo their number, so that each change means something in any shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Adds a function to a stack.
    AddFunction(u8),
    /// Adds another resource to a stack.
    AddResource(u8, Kind),
    /// Removes a function, unless it is its system's last one.
    RemoveFunction(u8),
    /// Removes a resource that is no function.
    RemoveResource(u8),
    /// Gives a function another name: to CloudFormation, a removal and an addition.
    RenameFunction(u8),
    /// Sets the memory of a function.
    Memory(u8, u16),
    /// Sets a value in the environment of a function.
    Variable(u8, u8),
    /// Adds or removes the alarm of a function.
    Alarm(u8),
    /// Changes the key of a table, which would replace it.
    ReplaceTable(u8),
    /// Adds a stack to a system.
    AddStack(u8),
    /// Removes a stack, unless it is its system's last one.
    RemoveStack(u8),
    /// Gives a stack another name, and its parts too.
    RenameStack(u8),
    /// Adds a system.
    AddSystem,
    /// Removes a system, unless it is the last one.
    RemoveSystem(u8),
    /// Sets the content of a system's site, adding it if necessary.
    Site(u8, u8),
    /// Adds or removes a system's API.
    Api(u8),
    /// Switches between all at once and canary.
    Strategy,
    /// Switches between standard and express mode.
    Deployment,
}

impl Shape {
    /// Draws a shape: 1 to 6 stacks in 1 to 3 systems, 1 to 10 functions.
    #[must_use]
    pub fn random(chance: &mut Chance) -> Self {
        let mut shape =
            Self { canary: chance.happens(0.4), express: chance.happens(0.4), systems: Vec::new(), next: 0 };
        let systems = [1, 1, 1, 1, 1, 1, 2, 2, 3][pick(chance, 9)];
        for name in 0..systems {
            let site = chance.happens(0.3).then_some(0);
            shape.systems.push(SystemShape { name, stacks: Vec::new(), site, api: chance.happens(0.4) });
            for name in 0..[1, 1, 2][pick(chance, 3)] {
                let parts = shape.random_parts(chance);
                if let Some(system) = shape.systems.last_mut() {
                    system.stacks.push(StackShape { name, parts });
                }
            }
            let has_function = shape.systems.last().is_some_and(|system| system.functions().next().is_some());
            if !has_function {
                let part = shape.function(chance);
                if let Some(stack) = shape.systems.last_mut().and_then(|system| system.stacks.last_mut()) {
                    stack.parts.push(part);
                }
            }
        }
        shape
    }

    fn random_parts(&mut self, chance: &mut Chance) -> Vec<Part> {
        let mut parts = Vec::new();
        if chance.happens(0.6) {
            let kind = random_resource(chance);
            parts.push(self.part(kind));
        }
        for _ in 0..[0, 1, 1, 1, 1, 2, 4][pick(chance, 7)] {
            let part = self.function(chance);
            parts.push(part);
        }
        if parts.is_empty() {
            parts.push(self.part(Kind::Queue));
        }
        parts
    }

    fn function(&mut self, chance: &mut Chance) -> Part {
        let memory = MEMORY[pick(chance, 2)];
        self.part(Kind::Function { memory, variable: 0, reads: chance.happens(0.5), alarm: chance.happens(0.3) })
    }

    fn part(&mut self, kind: Kind) -> Part {
        let number = self.next;
        self.next += 1;
        Part { number, kind }
    }

    /// All stacks.
    pub fn stacks(&self) -> impl Iterator<Item = (&SystemShape, &StackShape)> {
        self.systems.iter().flat_map(|system| system.stacks.iter().map(move |stack| (system, stack)))
    }

    /// All functions: system and part.
    pub fn functions(&self) -> impl Iterator<Item = (&SystemShape, &Part)> {
        self.systems.iter().flat_map(|system| system.functions().map(move |part| (system, part)))
    }

    /// Whether items may still be added.
    const fn has_numbers(&self) -> bool {
        self.next < NUMBERS
    }

    /// Applies a change; one that has no target changes nothing.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::AddFunction(stack) => {
                let kind = Kind::Function { memory: 128, variable: 0, reads: stack % 2 == 0, alarm: stack % 3 == 0 };
                self.add_part(*stack, kind);
            }
            Change::AddResource(stack, kind) => self.add_part(*stack, kind.clone()),
            Change::RemoveFunction(target) => self.remove_part(*target, true),
            Change::RemoveResource(target) => self.remove_part(*target, false),
            Change::RenameFunction(_)
            | Change::Memory(..)
            | Change::Variable(..)
            | Change::Alarm(_)
            | Change::ReplaceTable(_) => self.change_part(change),
            Change::AddStack(_) | Change::RemoveStack(_) | Change::RenameStack(_) => self.change_stacks(change),
            Change::AddSystem | Change::RemoveSystem(_) | Change::Site(..) | Change::Api(_) => {
                self.change_systems(change);
            }
            Change::Strategy => self.canary = !self.canary,
            Change::Deployment => self.express = !self.express,
        }
    }

    fn add_part(&mut self, stack: u8, kind: Kind) {
        if !self.has_numbers() || (matches!(kind, Kind::Function { .. }) && self.functions().count() >= 10) {
            return;
        }
        let part = self.part(kind);
        let mut stacks: Vec<_> = self.systems.iter_mut().flat_map(|system| &mut system.stacks).collect();
        let index = usize::from(stack) % stacks.len().max(1);
        if let Some(stack) = stacks.get_mut(index) {
            stack.parts.push(part);
        }
    }

    fn remove_part(&mut self, target: u8, is_function: bool) {
        let candidates: Vec<u8> = self
            .systems
            .iter()
            .filter(|system| !is_function || system.functions().count() > 1)
            .flat_map(|system| &system.stacks)
            .filter(|stack| stack.parts.len() > 1)
            .flat_map(|stack| &stack.parts)
            .filter(|part| part.is_function() == is_function)
            .map(|part| part.number)
            .collect();
        let Some(number) = chosen(&candidates, target) else { return };
        for stack in self.systems.iter_mut().flat_map(|system| &mut system.stacks) {
            stack.parts.retain(|part| part.number != number);
        }
    }

    fn change_part(&mut self, change: &Change) {
        let has_numbers = self.has_numbers();
        let next = self.next;
        let (target, wants_function) = match change {
            Change::RenameFunction(target)
            | Change::Memory(target, _)
            | Change::Variable(target, _)
            | Change::Alarm(target) => (*target, true),
            Change::ReplaceTable(target) => (*target, false),
            _ => return,
        };
        let parts = self.systems.iter_mut().flat_map(|system| &mut system.stacks).flat_map(|stack| &mut stack.parts);
        let fits = |part: &&mut Part| match part.kind {
            Kind::Function { .. } => wants_function,
            Kind::Table { .. } => !wants_function,
            _ => false,
        };
        let mut parts: Vec<_> = parts.filter(fits).collect();
        let index = usize::from(target) % parts.len().max(1);
        let Some(part) = parts.get_mut(index) else { return };
        match (change, &mut part.kind) {
            (Change::RenameFunction(_), _) if has_numbers => {
                part.number = next;
                self.next += 1;
            }
            (Change::Memory(_, new), Kind::Function { memory, .. }) => *memory = *new,
            (Change::Variable(_, new), Kind::Function { variable, .. }) => *variable = *new,
            (Change::Alarm(_), Kind::Function { alarm, .. }) => *alarm = !*alarm,
            (Change::ReplaceTable(_), Kind::Table { key }) => *key = 1 - (*key).min(1),
            _ => {}
        }
    }

    fn change_stacks(&mut self, change: &Change) {
        let count = self.stacks().count();
        match change {
            Change::AddStack(system) if count < 6 && self.has_numbers() => {
                let part = self.part(Kind::Queue);
                let systems = self.systems.len();
                let system = &mut self.systems[usize::from(*system) % systems];
                if let Some(name) = system.free_name() {
                    system.stacks.push(StackShape { name, parts: vec![part] });
                }
            }
            Change::RemoveStack(target) => {
                let Some((system, index)) = self.stack_at(*target) else { return };
                let system = &mut self.systems[system];
                let rest = system.stacks.iter().enumerate().filter(|(other, _)| *other != index);
                let keeps_function = rest.flat_map(|(_, stack)| &stack.parts).any(Part::is_function);
                if keeps_function {
                    system.stacks.remove(index);
                }
            }
            Change::RenameStack(target) if usize::from(self.next) + 12 < usize::from(NUMBERS) => {
                let Some((system, index)) = self.stack_at(*target) else { return };
                let mut next = self.next;
                let system = &mut self.systems[system];
                let Some(name) = system.free_name() else { return };
                let stack = &mut system.stacks[index];
                stack.name = name;
                for part in &mut stack.parts {
                    part.number = next;
                    next += 1;
                }
                self.next = next;
            }
            _ => {}
        }
    }

    fn stack_at(&self, target: u8) -> Option<(usize, usize)> {
        let all = self.systems.iter().enumerate();
        let all: Vec<_> =
            all.flat_map(|(system, shape)| (0..shape.stacks.len()).map(move |index| (system, index))).collect();
        chosen(&all, target)
    }

    fn change_systems(&mut self, change: &Change) {
        let count = self.systems.len();
        match change {
            Change::AddSystem if count < SYSTEMS.len() && self.has_numbers() => {
                let free = (0..3).find(|name| self.systems.iter().all(|system| system.name != *name));
                let Some(name) = free else { return };
                let kind = Kind::Function { memory: 128, variable: 0, reads: false, alarm: false };
                let parts = vec![self.part(kind)];
                self.systems.push(SystemShape {
                    name,
                    stacks: vec![StackShape { name: 0, parts }],
                    site: None,
                    api: false,
                });
            }
            Change::RemoveSystem(target) if count > 1 => {
                self.systems.remove(usize::from(*target) % count);
            }
            Change::Site(target, content) => self.systems[usize::from(*target) % count].site = Some(*content),
            Change::Api(target) => {
                let system = &mut self.systems[usize::from(*target) % count];
                system.api = !system.api;
            }
            _ => {}
        }
    }

    /// Sets the key of each table as it is deployed, so that no deploy replaces one. `is_other` says which tables have the other key.
    pub fn keep_tables(&mut self, is_other: impl Fn(&str, &Part) -> bool) {
        for system in &mut self.systems {
            let name = system.name();
            for part in system.stacks.iter_mut().flat_map(|stack| &mut stack.parts) {
                let other = is_other(name, part);
                if let Kind::Table { key } = &mut part.kind {
                    *key = u8::from(other);
                }
            }
        }
    }
}

impl SystemShape {
    /// The system's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        SYSTEMS[usize::from(self.name) % SYSTEMS.len()]
    }

    /// The functions, in order.
    pub fn functions(&self) -> impl Iterator<Item = &Part> {
        self.stacks.iter().flat_map(|stack| &stack.parts).filter(|part| part.is_function())
    }

    fn free_name(&self) -> Option<u8> {
        let names = 0..u8::try_from(STACKS.len()).unwrap_or_default();
        // The highest name so far is followed, so that a new stack has not the name of a removed one.
        let highest = self.stacks.iter().map(|stack| stack.name).max().unwrap_or_default();
        names.clone().find(|name| *name > highest)
    }
}

impl StackShape {
    /// The stack's name within its system.
    #[must_use]
    pub fn name(&self) -> &'static str {
        STACKS[usize::from(self.name) % STACKS.len()]
    }
}

impl Part {
    /// Whether it is a function.
    #[must_use]
    pub const fn is_function(&self) -> bool {
        matches!(self.kind, Kind::Function { .. })
    }

    /// The name within the system: `function3`, `table0`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}", self.kind.word(), self.number)
    }

    /// The logical ID: `Function3`, `Table0`.
    #[must_use]
    pub fn logical_id(&self) -> String {
        let word = self.kind.word();
        format!("{}{}{}", word[..1].to_uppercase(), &word[1..], self.number)
    }
}

impl Change {
    /// Draws a change.
    #[must_use]
    pub fn random(chance: &mut Chance) -> Self {
        let target = u8::try_from(chance.number(0..12)).unwrap_or_default();
        match chance.number(0..24) {
            0..=3 => Self::AddFunction(target),
            4 | 5 => Self::AddResource(target, random_resource(chance)),
            6 | 7 => Self::RemoveFunction(target),
            8 => Self::RemoveResource(target),
            9 | 10 => Self::RenameFunction(target),
            11..=13 => Self::Memory(target, MEMORY[pick(chance, 4)]),
            14 | 15 => Self::Variable(target, u8::try_from(chance.number(0..5)).unwrap_or_default()),
            16 => Self::Alarm(target),
            17 => Self::ReplaceTable(target),
            18 => Self::AddStack(target),
            19 => [Self::RemoveStack(target), Self::RenameStack(target)][pick(chance, 2)].clone(),
            20 => [Self::AddSystem, Self::RemoveSystem(target)][pick(chance, 2)].clone(),
            21 | 22 => Self::Site(target, u8::try_from(chance.number(0..5)).unwrap_or_default()),
            _ => [Self::Api(target), Self::Strategy, Self::Deployment][pick(chance, 3)].clone(),
        }
    }
}

fn random_resource(chance: &mut Chance) -> Kind {
    let kinds = [Kind::Table { key: 0 }, Kind::Table { key: 0 }, Kind::Bucket, Kind::Pool, Kind::Secret, Kind::Queue];
    kinds[pick(chance, kinds.len())].clone()
}

fn pick(chance: &mut Chance, count: usize) -> usize {
    usize::try_from(chance.number(0..count as u64)).unwrap_or_default()
}

fn chosen<T: Copy>(candidates: &[T], target: u8) -> Option<T> {
    candidates.get(usize::from(target) % candidates.len().max(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_shapes_and_changes_stay_within_their_bounds() {
        let mut chance = Chance::new(1);
        for _ in 0..500 {
            let mut shape = Shape::random(&mut chance);
            for _ in 0..10 {
                shape.apply(&Change::random(&mut chance));
                let (stacks, functions) = (shape.stacks().count(), shape.functions().count());
                assert!((1..=9).contains(&stacks) && (1..=12).contains(&functions), "{shape:?}");
                let mut numbers: Vec<_> =
                    shape.stacks().flat_map(|(_, stack)| stack.parts.iter().map(|part| part.number)).collect();
                numbers.sort_unstable();
                assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{shape:?}");
                for system in &shape.systems {
                    assert!(system.functions().next().is_some(), "{shape:?}");
                }
            }
        }
    }

    #[test]
    fn a_renamed_function_has_a_name_that_no_other_had() {
        let mut shape = Shape::random(&mut Chance::new(3));
        let before: Vec<_> = shape.functions().map(|(_, part)| part.name()).collect();
        shape.apply(&Change::RenameFunction(0));
        let after: Vec<_> = shape.functions().map(|(_, part)| part.name()).collect();
        assert_eq!(before.len(), after.len());
        assert!(!before.contains(&after[0]) && before[1..] == after[1..], "{before:?} {after:?}");
    }
}
