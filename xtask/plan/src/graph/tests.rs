//! The graph of the example project, and of resources that share a name.

use model::{
    example::Example,
    template::{Resource, Stack, System},
};
use serde_json::{Value, json};

use super::*;

fn prod() -> Graph {
    graph("prod", &Example::systems(&Example::stage_named("prod")))
}

/// The graph of a stack with these resources.
fn of(resources: &[(&str, &str, Value)]) -> Graph {
    let mut stack = Stack::new("data", "Photos: resources of the test.");
    for (id, resource_type, properties) in resources {
        stack.resource(id, Resource::new(resource_type, properties.clone()));
    }
    let stage = Example::stage_named("prod");
    graph("prod", &[System::new("photos", [stack]).render(&stage).expect("rendered")])
}

fn refers(graph: &Graph, from: &str, to: &str) -> bool {
    let is = |endpoint: &Endpoint, id: &str| endpoint.node.as_deref() == Some(id);
    graph.edges.iter().any(|edge| is(&edge.from, from) && is(&edge.to, to))
}

#[test]
fn functions_apis_and_data_have_edges_to_their_references() {
    let graph = prod();
    assert!(refers(&graph, "NotesApi", "ApiFunction"), "{graph:#?}");
    assert!(refers(&graph, "ApiFunction", "NotesTable"), "{graph:#?}");
    assert!(!refers(&graph, "NotesTable", "ApiFunction"), "{graph:#?}");
    assert!(!refers(&graph, "FetchFunction", "NotesTable"), "{graph:#?}");
    let table = graph.edges.iter().find(|edge| edge.to.node.as_deref() == Some("NotesTable"));
    assert!(table.is_some_and(|edge| edge.from.stack != edge.to.stack), "{graph:#?}");
}

#[test]
fn nodes_have_kinds_and_short_labels() {
    let graph = prod();
    let nodes: Vec<_> = graph.stacks.iter().flat_map(|stack| &stack.nodes).collect();
    let kind = |label: &str| nodes.iter().find(|node| node.label == label).map(|node| node.kind);
    assert_eq!(kind("api"), Some(NodeKind::Function));
    assert_eq!(kind("NotesApi"), Some(NodeKind::Api));
    assert_eq!(kind("NotesTable"), Some(NodeKind::Data));
    assert!(nodes.iter().all(|node| !node.logical_id.ends_with("LogGroup")), "{nodes:#?}");
}

#[test]
fn queues_have_edges_to_their_functions() {
    let arn = |id: &str| json!({ "Fn::GetAtt": [id, "Arn"] });
    let graph = of(&[
        ("Queue", "AWS::SQS::Queue", json!({})),
        ("Worker", "AWS::Lambda::Function", json!({ "FunctionName": "photos-worker-prod" })),
        (
            "Mapping",
            "AWS::Lambda::EventSourceMapping",
            json!({ "EventSourceArn": arn("Queue"), "FunctionName": arn("Worker") }),
        ),
    ]);
    assert!(refers(&graph, "Queue", "Worker"), "{graph:#?}");
    assert!(!refers(&graph, "Worker", "Queue"), "{graph:#?}");
}

#[test]
fn buses_and_streams_have_edges_to_their_functions() {
    let of_bus = |id: &str| json!({ "Fn::GetAtt": [id, "Arn"] });
    let graph = of(&[
        ("Bus", "AWS::Events::EventBus", json!({ "Name": "photos-events-prod" })),
        ("Table", "AWS::DynamoDB::Table", json!({})),
        ("Worker", "AWS::Lambda::Function", json!({ "FunctionName": "photos-worker-prod" })),
        (
            "Sender",
            "AWS::Lambda::Function",
            json!({ "FunctionName": "photos-sender-prod", "Environment": { "Variables": { "BUS": { "Ref": "Bus" } } } }),
        ),
        (
            "Rule",
            "AWS::Events::Rule",
            json!({ "EventBusName": { "Ref": "Bus" }, "Targets": [{ "Id": "a", "Arn": of_bus("Worker") }] }),
        ),
        (
            "Mapping",
            "AWS::Lambda::EventSourceMapping",
            json!({ "EventSourceArn": { "Fn::GetAtt": ["Table", "StreamArn"] }, "FunctionName": of_bus("Worker") }),
        ),
    ]);
    for (from, to) in [("Sender", "Bus"), ("Bus", "Worker"), ("Table", "Worker")] {
        assert!(refers(&graph, from, to) && !refers(&graph, to, from), "{from} {to} {graph:#?}");
    }
}

#[test]
fn a_queue_of_another_stack_has_an_edge_to_its_function() {
    let [mut data, mut work] = ["data", "work"].map(|name| Stack::new(name, "Photos: resources of the test."));
    let queue = data.resource("Queue", Resource::new("AWS::SQS::Queue", json!({})));
    let worker = json!({ "FunctionName": "photos-worker-prod" });
    let worker = work.resource("Worker", Resource::new("AWS::Lambda::Function", worker));
    let mapping = json!({ "EventSourceArn": queue.attribute("Arn"), "FunctionName": worker.id() });
    work.resource("Mapping", Resource::new("AWS::Lambda::EventSourceMapping", mapping));
    let stage = Example::stage_named("prod");
    let graph = graph("prod", &[System::new("photos", [data, work]).render(&stage).expect("rendered")]);
    assert!(refers(&graph, "Queue", "Worker"), "{graph:#?}");
    let nodes: Vec<_> = graph.stacks.iter().flat_map(|stack| &stack.nodes).collect();
    let is_node = |end: &Endpoint| {
        end.node.as_ref().is_none_or(|id| nodes.iter().any(|node| (&node.stack, &node.logical_id) == (&end.stack, id)))
    };
    assert!(graph.edges.iter().all(|edge| is_node(&edge.from) && is_node(&edge.to)), "{graph:#?}");
}

#[test]
fn resources_of_the_same_name_have_no_edges_and_mentioned_names_have() {
    let graph = of(&[
        ("Table", "AWS::DynamoDB::Table", json!({ "TableName": "photos" })),
        ("Topic", "AWS::SNS::Topic", json!({ "TopicName": "photos" })),
        ("Raw", "AWS::S3::Bucket", json!({ "BucketName": "raw-photos" })),
        (
            "Worker",
            "AWS::Lambda::Function",
            json!({ "FunctionName": "worker", "Environment": { "Variables": { "BUCKET": "s3://raw-photos/in" } } }),
        ),
    ]);
    assert!(!refers(&graph, "Table", "Topic") && !refers(&graph, "Topic", "Table"), "{graph:#?}");
    assert!(refers(&graph, "Worker", "Raw"), "{graph:#?}");
    assert!(!refers(&graph, "Worker", "Table"), "the name is part of a longer one: {graph:#?}");
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

#[test]
fn an_http_api_has_edges_to_the_functions_of_other_stacks_that_add_routes() {
    use model::{
        example::{FeedsFetch, HistoryRoute},
        parts::{
            function::Function,
            http_api::{HttpApi, HttpRouteSettings, HttpRoutes},
        },
        template::Text,
    };
    let stage = Example::stage_named("prod");
    let mut api = Stack::new("api", "An API.");
    let handle = api.add(HttpApi::new("Api", "photos".to_owned(), &stage));
    let mut more = Stack::new("more", "More routes.");
    let function = more.add(Function::new(&stage, FeedsFetch { stage: Text::from("prod") }));
    let open = |_: HistoryRoute| HttpRouteSettings { open: true, ..HttpRouteSettings::default() };
    more.add(HttpRoutes::new(&handle).routes_with(&function, open));
    let graph = graph("prod", &[System::new("photos", [api, more]).render(&stage).expect("rendered")]);
    assert!(refers(&graph, "Api", "FetchFunction"), "{graph:#?}");
    let nodes: Vec<_> = graph.stacks.iter().flat_map(|stack| &stack.nodes).collect();
    assert!(nodes.iter().any(|node| node.logical_id == "Api" && node.kind == NodeKind::Api), "{nodes:#?}");
    // Every end is a node or a stack.
    for end in graph.edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
        let exists = |node: &str| nodes.iter().any(|known| known.logical_id == node && known.stack == end.stack);
        assert!(end.node.as_deref().is_none_or(exists), "{end:?}");
    }
}
