//! Graphs of the systems as they are deployed to production.

use plan::graph::{Endpoint, Graph, graph, mermaid, svg};

use crate::{rendered, stage};

fn prod() -> Graph {
    graph("prod", &rendered(&stage("prod")))
}

fn refers(graph: &Graph, from: &str, to: &str) -> bool {
    let is = |endpoint: &Endpoint, id: &str| endpoint.node.as_deref() == Some(id);
    graph.edges.iter().any(|edge| is(&edge.from, from) && is(&edge.to, to))
}

#[test]
fn functions_apis_and_data_have_edges_to_their_references() {
    let graph = prod();
    assert!(refers(&graph, "MediaApi", "UploadMediaFunction"), "{graph:#?}");
    assert!(refers(&graph, "UploadMediaFunction", "RawMediaBucket"), "{graph:#?}");
    assert!(refers(&graph, "RawMediaBucket", "MediaProcessingDispatcher"), "{graph:#?}");
    assert!(!refers(&graph, "RetrieveMediaFunction", "RawMediaBucket"), "{graph:#?}");
    let pool = graph.edges.iter().find(|edge| edge.to.node.as_deref() == Some("MainUserPool"));
    assert!(pool.is_some_and(|edge| edge.from.stack != edge.to.stack), "{graph:#?}");
}

#[test]
fn queues_have_edges_to_functions_and_resources_of_the_same_name_have_none() {
    let graph = prod();
    assert!(refers(&graph, "TaskEventsQueue", "StatusFunction"), "{graph:#?}");
    assert!(refers(&graph, "ApiFunction", "NotificationsTable"), "{graph:#?}");
    assert!(!refers(&graph, "NotificationsTable", "NotificationsTopic"), "{graph:#?}");
    assert!(!refers(&graph, "NotificationsTopic", "NotificationsTable"), "{graph:#?}");
}

#[test]
fn both_drawings_name_every_node() {
    let graph = prod();
    let (text, drawing) = (mermaid(&graph), svg(&graph));
    for node in graph.stacks.iter().flat_map(|stack| &stack.nodes) {
        assert!(text.contains(&node.label) && drawing.contains(&node.label), "{}", node.label);
    }
    // Only Mermaid is compared: the SVG layout differs slightly between runs.
    assert_eq!(text, mermaid(&graph));
}
