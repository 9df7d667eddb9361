//! What the site shows: posts, projects, certifications. What they have in common is the trait [`Content`]; what is
//! stored of each is its `Data`, and what clients see is its `Wire`.

pub mod certification;
pub mod filter;
pub mod post;
pub mod project;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use self::filter::Filter;
pub use self::{certification::Certification, post::Post, project::Project};
use crate::time;

/// The most bytes of a long text. DynamoDB's items have 400 KB at most, all attributes together
/// (Amazon DynamoDB Developer Guide, "Quotas").
pub const MAX_TEXT: usize = 300 * 1024;

/// A kind of content, as analytics calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Kind {
    /// Posts.
    Blog,
    /// Projects.
    Project,
    /// Certifications and courses.
    Certification,
}

impl Kind {
    /// Every kind, each once.
    pub const ALL: [Self; 3] = [Self::Blog, Self::Project, Self::Certification];
    /// Every kind's name, for error messages.
    pub const NAMES: &'static str = "blog, project, certification";

    /// The kind's name on the wire and in the keys of its counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Project => "project",
            Self::Certification => "certification",
        }
    }

    /// What the keys of its items begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Blog => "BLOG",
            Self::Project => "PROJECT",
            Self::Certification => "CERT",
        }
    }

    /// The `EntityType` of its items.
    #[must_use]
    pub const fn entity(self) -> &'static str {
        match self {
            Self::Blog => "BLOG",
            Self::Project => "PROJECT",
            Self::Certification => "CERTIFICATION",
        }
    }

    /// Where the site shows a piece of it.
    #[must_use]
    pub fn page(self, id: &str) -> String {
        match self {
            Self::Blog => format!("/blog/{id}"),
            Self::Project => format!("/projects/{id}"),
            Self::Certification => format!("/certifications/{id}"),
        }
    }
}

/// Is it shown to everybody?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Status {
    /// Only the owner sees it.
    Draft,
    /// Everybody sees it.
    Published,
}

impl Status {
    /// As it is stored.
    #[must_use]
    pub const fn stored(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Published => "PUBLISHED",
        }
    }

    /// The status that is stored as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Draft, Self::Published].into_iter().find(|status| status.stored() == text)
    }
}

/// Which statuses a list is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Statuses {
    /// What everybody sees.
    #[default]
    Published,
    /// What only the owner sees.
    Draft,
    /// Both.
    All,
}

impl Statuses {
    /// The statuses that somebody who asks for these gets.
    #[must_use]
    pub const fn seen_by(self, owner: bool) -> &'static [Status] {
        match self {
            Self::Draft if owner => &[Status::Draft],
            Self::All if owner => &[Status::Published, Status::Draft],
            _ => &[Status::Published],
        }
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paging {
    /// The most items to return.
    #[serde(default = "Paging::default_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub limit: usize,
    /// How many items to skip.
    #[serde(default)]
    pub offset: usize,
}

impl Paging {
    fn default_limit() -> usize {
        20
    }
}

/// A key of the index: its partition, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// `GSI1PK`.
    pub partition: String,
    /// `GSI1SK`.
    pub sort: String,
}

/// A list's query.
pub trait ListQuery: JsonSchema + DeserializeOwned + Send {
    /// Which statuses.
    fn statuses(&self) -> Statuses;
    /// Which part.
    fn paging(&self) -> Paging;
    /// What else items must have.
    fn filters(&self) -> Vec<Filter>;
}

/// A kind of content. `Self` is what is stored of it under `Data`: all but its status.
pub trait Content: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind.
    const KIND: Kind;
    /// What clients see.
    type Wire: Serialize + JsonSchema + Send;
    /// What clients see of many.
    type Page: Serialize + JsonSchema + Send;
    /// What the owner sends to create one. Any of its fields may be sent to change one.
    type Create: JsonSchema + DeserializeOwned + Send;
    /// How a list of it is asked for.
    type Query: ListQuery;

    /// A new one.
    fn create(id: String, now: Timestamp, create: Self::Create) -> Self;
    /// Its id.
    fn id(&self) -> &str;
    /// When it was created.
    fn created_at(&self) -> &str;
    /// Follows the fields that were changed, and remembers when.
    fn changed(&mut self, fields: &Map<String, Value>, now: Timestamp);
    /// Follows a new status: published at a time, or a draft again.
    fn published(&mut self, at: Option<Timestamp>, now: Timestamp);
    /// Where the index lists it.
    fn indexed(&self, status: Status) -> Indexed;
    /// The category whose count it is part of.
    fn category(&self) -> Option<&str> {
        None
    }
    /// The partitions of the index that hold what a query asks for.
    fn partitions(query: &Self::Query, statuses: &[Status]) -> Vec<String>;
    /// What clients see.
    fn wire(self, status: Status) -> Self::Wire;
    /// What clients see of many.
    fn page(items: Vec<Self::Wire>, total: usize, paging: Paging) -> Self::Page;
}

/// Content with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<C> {
    /// What is stored under `Data`.
    pub content: C,
    /// Its status.
    pub status: Status,
}

impl<C: Content> Stored<C> {
    /// The same with some fields changed. The fields must be such as `C::Create` allows.
    ///
    /// # Errors
    /// When a field does not fit, which a schema has ruled out.
    pub fn with(&self, fields: &Map<String, Value>, now: Timestamp) -> Result<Self, serde_json::Error> {
        let mut data = serde_json::to_value(&self.content)?;
        if let Value::Object(data) = &mut data {
            data.extend(fields.clone());
        }
        let mut content: C = serde_json::from_value(data)?;
        content.changed(fields, now);
        Ok(Self { content, status: self.status })
    }

    /// The same with another status.
    #[must_use]
    pub fn turned(&self, status: Status, now: Timestamp) -> Self {
        let mut content = self.content.clone();
        content.published((status == Status::Published).then_some(now), now);
        Self { content, status }
    }

    /// What clients see.
    #[must_use]
    pub fn wire(self) -> C::Wire {
        self.content.wire(self.status)
    }

    /// Where the index lists it.
    #[must_use]
    pub fn indexed(&self) -> Indexed {
        self.content.indexed(self.status)
    }
}

/// A partition of the index that holds a kind's content of one status.
fn partition(kind: Kind, status: Status) -> String {
    format!("{}#STATUS#{}", kind.prefix(), status.stored())
}

/// `BLOG#2024-03-15T10:30:00.000Z` and the like: what the index sorts by.
fn sorted_by(kind: Kind, time: &str) -> String {
    format!("{}#{time}", kind.prefix())
}

/// Now, as it is stored.
fn stamp(now: Timestamp) -> String {
    time::text(now)
}
