//! The graph as Mermaid, which GitHub draws in Markdown.

use std::fmt::{Result, Write};

use super::{Endpoint, Graph, GraphStack, NodeKind};

/// Returns a Mermaid flowchart: a box per system, with a box per stack.
#[must_use]
pub fn mermaid(graph: &Graph) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _never = write(graph, &mut text);
    text
}

fn write(graph: &Graph, out: &mut String) -> Result {
    writeln!(out, "flowchart LR")?;
    let mut system = None;
    for stack in &graph.stacks {
        if system != Some(&stack.system) {
            if system.is_some() {
                writeln!(out, "  end")?;
            }
            writeln!(out, "  subgraph {}[\"{}\"]", identifier("system", &stack.system), stack.system)?;
            system = Some(&stack.system);
        }
        draw(stack, out)?;
    }
    if system.is_some() {
        writeln!(out, "  end")?;
    }
    for edge in &graph.edges {
        writeln!(out, "  {} --> {}", end(&edge.from), end(&edge.to))?;
    }
    Ok(())
}

fn draw(stack: &GraphStack, out: &mut String) -> Result {
    writeln!(out, "    subgraph {}[\"{}\"]", identifier("stack", &stack.name), stack.name)?;
    for node in &stack.nodes {
        let (open, close) = match node.kind {
            NodeKind::Function => ("([", "])"),
            NodeKind::Api => ("{{", "}}"),
            NodeKind::Data => ("[(", ")]"),
        };
        let id = identifier(&stack.name, &node.logical_id);
        writeln!(out, "      {id}{open}\"{}\"{close}", node.label)?;
    }
    writeln!(out, "    end")
}

fn end(end: &Endpoint) -> String {
    match &end.node {
        Some(node) => identifier(&end.stack, node),
        None => identifier("stack", &end.stack),
    }
}

/// Mermaid's identifiers consist of letters, digits and underscores.
fn identifier(within: &str, name: &str) -> String {
    format!("{within}_{name}").replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}
