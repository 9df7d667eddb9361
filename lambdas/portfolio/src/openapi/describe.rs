//! Requests and responses of each route.

use portfolio_contract::ApiRoute;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::{
    answers::{
        About, Categories, ContentViews, DailyTrends, Days, Health, KindViews, Login, Message, MonthlyTrends, Months,
        Overview, OverviewDays, PageViews, PagesOf, PostStats, Refresh, SignedIn, Tokens, Top, TopContent, TotalViews,
        TrackView, TrackVisitor, TrackedView, TrackedVisitor, User, VisitorCount,
    },
    content::{Content, ContentKind, certification::Certification, post::Post, project::Project},
    schema::Shape,
};

/// A successful response.
pub(super) enum Answer {
    Nothing,
    Json(Value),
}

/// Request and response of a route.
pub(super) struct Description {
    pub(super) id: String,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// On success.
    pub(super) status: u16,
    pub(super) answer: Answer,
    /// The schema, and whether a body is required.
    pub(super) body: Option<(Value, bool)>,
    pub(super) query: Vec<Value>,
    /// The statuses of the route's own errors.
    pub(super) errors: &'static [u16],
}

impl Description {
    fn new(id: &str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id: id.to_owned(),
            tag,
            summary,
            status: 200,
            answer: Answer::Nothing,
            body: None,
            query: Vec::new(),
            errors: &[],
        }
    }

    fn answers<T: JsonSchema>(mut self, generator: &mut SchemaGenerator) -> Self {
        self.answer = Answer::Json(schema::<T>(generator));
        self
    }

    fn takes<T: JsonSchema>(mut self, generator: &mut SchemaGenerator) -> Self {
        self.body = Some((schema::<T>(generator), true));
        self
    }

    fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = parameters::<T>();
        self
    }

    fn fails(mut self, errors: &'static [u16]) -> Self {
        self.errors = errors;
        self
    }
}

/// Describes a route.
pub(super) fn route(route: ApiRoute, generator: &mut SchemaGenerator) -> Description {
    use ApiRoute as R;
    let new = Description::new;
    let g = generator;
    match route {
        R::Login => new("login", AUTH, "User login").takes::<Login>(g).answers::<SignedIn>(g).fails(&[400, 401, 403]),
        R::Logout => new("logout", AUTH, "User logout").answers::<Message>(g),
        R::Me => new("getCurrentUser", AUTH, "Get current user").answers::<User>(g),
        R::Refresh => {
            new("refresh", AUTH, "Refresh tokens").takes::<Refresh>(g).answers::<Tokens>(g).fails(&[400, 401])
        }
        R::ListPosts => list::<Post>(g, POST),
        R::CreatePost => create::<Post>(g, POST),
        R::GetPost => get::<Post>(g, POST),
        R::UpdatePost => update::<Post>(g, POST),
        R::DeletePost => delete(POST),
        R::PublishPost => set_status::<Post>(g, POST, "publish", "Publish"),
        R::UnpublishPost => set_status::<Post>(g, POST, "unpublish", "Unpublish"),
        R::ListCategories => new("listBlogCategories", POST.tag, "List blog categories").answers::<Categories>(g),
        R::ListProjects => list::<Project>(g, PROJECT),
        R::CreateProject => create::<Project>(g, PROJECT),
        R::GetProject => get::<Project>(g, PROJECT),
        R::UpdateProject => update::<Project>(g, PROJECT),
        R::DeleteProject => delete(PROJECT),
        R::PublishProject => set_status::<Project>(g, PROJECT, "publish", "Publish"),
        R::UnpublishProject => set_status::<Project>(g, PROJECT, "unpublish", "Unpublish"),
        R::ListCertifications => list::<Certification>(g, CERTIFICATION),
        R::CreateCertification => create::<Certification>(g, CERTIFICATION),
        R::GetCertification => get::<Certification>(g, CERTIFICATION),
        R::UpdateCertification => update::<Certification>(g, CERTIFICATION),
        R::DeleteCertification => delete(CERTIFICATION),
        R::PublishCertification => set_status::<Certification>(g, CERTIFICATION, "publish", "Publish"),
        R::UnpublishCertification => set_status::<Certification>(g, CERTIFICATION, "unpublish", "Unpublish"),
        R::TrackVisitor => {
            let mut track = new("trackVisit", VISITORS, "Track visitor").answers::<TrackedVisitor>(g).fails(&[400]);
            track.body = Some((schema::<TrackVisitor>(g), false));
            track
        }
        R::VisitorCount => new("getVisitorCount", VISITORS, "Get visitor count").answers::<VisitorCount>(g),
        R::DailyVisitors => new("getDailyVisitorTrends", VISITORS, "Get daily visitor trends")
            .asks::<Days>()
            .answers::<DailyTrends>(g)
            .fails(&[400]),
        R::MonthlyVisitors => new("getMonthlyVisitorTrends", VISITORS, "Get monthly visitor trends")
            .asks::<Months>()
            .answers::<MonthlyTrends>(g)
            .fails(&[400]),
        R::TrackView => new("trackContentView", ANALYTICS, "Track content view")
            .takes::<TrackView>(g)
            .answers::<TrackedView>(g)
            .fails(&[400, 404]),
        R::ContentViews => new("getContentViewCount", ANALYTICS, "Get view count for content")
            .answers::<ContentViews>(g)
            .fails(&[400, 404]),
        R::TypeViews => new("getAllViewStats", ANALYTICS, "Get all view stats for content type")
            .answers::<KindViews>(g)
            .fails(&[400]),
        R::TopContent => new("getTopContent", ANALYTICS, "Get top viewed content")
            .asks::<Top>()
            .answers::<TopContent>(g)
            .fails(&[400]),
        R::TotalViews => new("getTotalViews", ANALYTICS, "Get total views").answers::<TotalViews>(g),
        R::Overview => new("getAnalyticsOverview", ANALYTICS, "Get views, visitors and top pages")
            .asks::<OverviewDays>()
            .answers::<Overview>(g)
            .fails(&[400]),
        R::PageViews => new("getPageViews", ANALYTICS, "Get views per page of a content type")
            .asks::<PagesOf>()
            .answers::<Vec<PageViews>>(g)
            .fails(&[400]),
        R::PostStats => {
            new("getPostStats", ANALYTICS, "Get views of a blog post").answers::<PostStats>(g).fails(&[404])
        }
        R::Root => new("about", SERVICE, "What this is").answers::<About>(g),
        R::Health => new("health", SERVICE, "Is it up?").answers::<Health>(g),
        R::OpenApi => {
            let mut description = new("openapi", SERVICE, "This document");
            description.answer = Answer::Json(json!({"type": "object"}));
            description
        }
    }
}

const AUTH: &str = "Authentication";
const VISITORS: &str = "Visitors";
const ANALYTICS: &str = "Analytics";
const SERVICE: &str = "Service";

/// The names of a kind of content.
#[derive(Clone, Copy)]
struct Noun {
    tag: &'static str,
    /// As in `getBlogPost`.
    one: &'static str,
    /// As in `listBlogPosts`.
    many: &'static str,
}

const POST: Noun = Noun { tag: "Blog Posts", one: "BlogPost", many: "BlogPosts" };
const PROJECT: Noun = Noun { tag: "Projects", one: "Project", many: "Projects" };
const CERTIFICATION: Noun = Noun { tag: "Certifications", one: "Certification", many: "Certifications" };

fn list<C: Content>(generator: &mut SchemaGenerator, noun: Noun) -> Description {
    Description::new(&format!("list{}", noun.many), noun.tag, "List; only the owner sees drafts")
        .asks::<C::Query>()
        .answers::<C::Page>(generator)
        .fails(&[400])
}

fn create<C: Content>(generator: &mut SchemaGenerator, noun: Noun) -> Description {
    let mut create = Description::new(&format!("create{}", noun.one), noun.tag, "Create, as a draft")
        .takes::<C::Create>(generator)
        .answers::<C::Wire>(generator)
        .fails(&[400]);
    create.status = 201;
    create
}

fn get<C: Content>(generator: &mut SchemaGenerator, noun: Noun) -> Description {
    Description::new(&format!("get{}", noun.one), noun.tag, "Get by ID; only the owner sees drafts")
        .answers::<C::Wire>(generator)
        .fails(&[404])
}

fn update<C: Content>(generator: &mut SchemaGenerator, noun: Noun) -> Description {
    let mut update = Description::new(&format!("update{}", noun.one), noun.tag, "Change any of the fields")
        .answers::<C::Wire>(generator)
        .fails(&[400, 404]);
    update.body = Some((json!({"$ref": format!("{DEFINITIONS}{}Update", noun.one)}), true));
    update
}

fn delete(noun: Noun) -> Description {
    let mut delete = Description::new(&format!("delete{}", noun.one), noun.tag, "Delete").fails(&[404]);
    delete.status = 204;
    delete
}

fn set_status<C: Content>(
    generator: &mut SchemaGenerator,
    noun: Noun,
    verb: &str,
    summary: &'static str,
) -> Description {
    Description::new(&format!("{verb}{}", noun.one), noun.tag, summary).answers::<C::Wire>(generator).fails(&[404])
}

/// The path of the schemas in the document.
const DEFINITIONS: &str = "#/components/schemas/";

/// Adds the schemas of updates: those of creations, with all fields optional, as bodies are parsed.
pub(super) fn add_updates(schemas: &mut Map<String, Value>) {
    for noun in [POST, PROJECT, CERTIFICATION] {
        let Some(mut update) = schemas.get(&format!("{}Create", noun.one)).cloned() else { continue };
        if let Some(fields) = update.as_object_mut() {
            fields.remove("required");
            fields.insert("minProperties".to_owned(), json!(1));
            fields.insert("description".to_owned(), json!("Any of the fields, but at least one."));
        }
        for (_, schema) in update["properties"].as_object_mut().into_iter().flatten() {
            schema.as_object_mut().map(|schema| schema.remove("default"));
        }
        schemas.insert(format!("{}Update", noun.one), update);
    }
}

/// Marks fields with defaults as required for creations. Missing ones are still filled in.
pub(super) fn require_defaults(schemas: &mut Map<String, Value>) {
    for noun in [POST, PROJECT, CERTIFICATION] {
        let Some(create) = schemas.get_mut(&format!("{}Create", noun.one)) else { continue };
        let with_default = |(name, schema): (&String, &Value)| {
            schema.get("default").filter(|default| !default.is_null()).map(|_| Value::from(name.as_str()))
        };
        let defaults: Vec<_> =
            create["properties"].as_object().into_iter().flatten().filter_map(with_default).collect();
        if let Some(required) = create["required"].as_array_mut() {
            required.extend(defaults);
        }
    }
}

/// Reduces a schema to its reference, because OpenAPI 3.0 allows no other keywords beside it.
pub(super) fn reference(schema: Value) -> Value {
    schema.get("$ref").map_or(schema.clone(), |reference| json!({"$ref": reference}))
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    reference(Schema::to_value(generator.subschema_for::<T>()))
}

pub(super) fn kinds() -> Value {
    json!({"type": "string", "enum": ContentKind::ALL.map(ContentKind::as_str)})
}

/// Converts the fields of `T` to query parameters.
fn parameters<T: JsonSchema>() -> Vec<Value> {
    let shape = Shape::of::<T>();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let required = shape.requires(name);
        json!({"name": name, "in": "query", "required": required, "description": description, "schema": schema})
    };
    shape.properties().map(parameter).collect()
}

/// Returns the description of a status.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        400 => "Invalid request; details name the field",
        401 => "Authentication required, or what was sent does not count",
        403 => "Not allowed",
        404 => "There is no such resource",
        429 => "Too many requests",
        _ => "Something went wrong",
    }
}

/// Returns the header of responses to clients that send too many requests.
pub(super) fn retry_after() -> Value {
    json!({"Retry-After": {
        "description": "The seconds after which the client may try again",
        "schema": {"type": "integer", "minimum": 1},
    }})
}
