//! The graph as a picture. The layout library does not nest boxes, so stacks are nodes.

use std::collections::BTreeMap;

use layout::{
    adt::dag::NodeHandle,
    backends::svg::SVGWriter,
    core::{base::Orientation, color::Color, geometry::Point, style::StyleAttr},
    std_shapes::shapes::{Arrow, Element, ShapeKind},
    topo::layout::VisualGraph,
};

use super::{Endpoint, Graph, NodeKind};

/// Sizes in points, for the library's font size.
const LETTER: f64 = 9.0;
const MARGIN: f64 = 30.0;
const HEIGHT: f64 = 36.0;
const FONT: usize = 14;

/// Returns an SVG picture.
#[must_use]
pub fn svg(graph: &Graph) -> String {
    let mut picture = VisualGraph::new(Orientation::LeftToRight);
    let mut handles: BTreeMap<Endpoint, NodeHandle> = BTreeMap::new();
    for stack in &graph.stacks {
        let whole = Endpoint { stack: stack.name.clone(), node: None };
        let handle = picture.add_node(element(&stack.name, ShapeKind::new_box(&stack.name), 0xdd_dd_dd_ff));
        handles.insert(whole, handle);
        for node in &stack.nodes {
            let (shape, colour) = match node.kind {
                NodeKind::Function => (ShapeKind::new_circle(&node.label), 0xff_e0_b0_ff),
                NodeKind::Api => (ShapeKind::new_box(&node.label), 0xd8_c8_ff_ff),
                NodeKind::Data => (ShapeKind::new_box(&node.label), 0xc0_e8_c8_ff),
            };
            let inner = picture.add_node(element(&node.label, shape, colour));
            picture.add_edge(Arrow::simple(""), handle, inner);
            handles.insert(Endpoint { stack: stack.name.clone(), node: Some(node.logical_id.clone()) }, inner);
        }
    }
    for edge in &graph.edges {
        if let (Some(from), Some(to)) = (handles.get(&edge.from), handles.get(&edge.to)) {
            picture.add_edge(Arrow::simple(""), *from, *to);
        }
    }
    let mut writer = SVGWriter::new();
    picture.do_it(false, false, false, &mut writer);
    writer.finalize()
}

fn element(label: &str, shape: ShapeKind, colour: u32) -> Element {
    let look = StyleAttr::new(Color::fast("black"), 1, Some(Color::new(colour)), 0, FONT);
    #[expect(clippy::cast_precision_loss, reason = "labels are short")]
    let width = label.chars().count() as f64 * LETTER + MARGIN;
    Element::create(shape, look, Orientation::LeftToRight, Point::new(width, HEIGHT))
}
