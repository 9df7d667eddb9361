//! Projects.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Content, ContentKind, Indexed, ListQuery, MAX_TEXT, Paging, Status, Statuses, filter::Filter, partition, sorted_by,
    stamp,
};

/// A project as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) long_description: String,
    pub(crate) tech: Vec<String>,
    pub(crate) company: String,
    pub(crate) featured: bool,
    pub(crate) github_url: Option<String>,
    pub(crate) live_url: Option<String>,
    pub(crate) image_url: Option<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Project")]
pub(crate) struct ProjectWire {
    /// The ID.
    pub(crate) id: String,
    /// The name.
    pub(crate) name: String,
    /// A short description.
    pub(crate) description: String,
    /// A long description, in Markdown.
    pub(crate) long_description: String,
    /// The technologies.
    pub(crate) tech: Vec<String>,
    /// The client or employer.
    pub(crate) company: String,
    /// Whether it is shown first.
    pub(crate) featured: bool,
    /// The URL of the source code.
    #[schemars(extend("format" = "uri"))]
    pub(crate) github_url: Option<String>,
    /// The URL of the running project.
    #[schemars(extend("format" = "uri"))]
    pub(crate) live_url: Option<String>,
    /// The URL of a picture.
    #[schemars(extend("format" = "uri"))]
    pub(crate) image_url: Option<String>,
    /// The visibility.
    pub(crate) status: Status,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) updated_at: String,
}

/// A new project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProjectCreate {
    /// The name.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) name: String,
    /// A short description.
    #[schemars(length(min = 1, max = 500))]
    pub(crate) description: String,
    /// A long description, in Markdown.
    #[schemars(length(min = 1), extend("x-maxBytes" = MAX_TEXT))]
    pub(crate) long_description: String,
    /// The technologies.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 100)))]
    pub(crate) tech: Vec<String>,
    /// The client or employer.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) company: String,
    /// Whether it is shown first.
    #[serde(default)]
    pub(crate) featured: bool,
    /// The URL of the source code.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub(crate) github_url: Option<String>,
    /// The URL of the running project.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub(crate) live_url: Option<String>,
    /// The URL of a picture.
    #[serde(default)]
    #[schemars(length(max = 2048), extend("format" = "uri"))]
    pub(crate) image_url: Option<String>,
}

/// A part of the projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ProjectPage {
    /// The projects, newest first.
    pub(crate) projects: Vec<ProjectWire>,
    /// The number of all projects; of a list of more than 16 MB, only of its first part.
    pub(crate) total: usize,
    /// The requested limit.
    pub(crate) limit: usize,
    /// The number of skipped projects.
    pub(crate) offset: usize,
}

/// A selection of projects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct ProjectQuery {
    /// The status; only the owner gets drafts.
    #[serde(default)]
    pub(crate) status: Statuses,
    /// Only those shown first, or only the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) featured: Option<bool>,
    /// The part of the list.
    #[serde(flatten)]
    pub(crate) paging: Paging,
}

impl ListQuery for ProjectQuery {
    fn statuses(&self) -> Statuses {
        self.status
    }

    fn paging(&self) -> Paging {
        self.paging
    }

    fn filters(&self) -> Vec<Filter> {
        self.featured.map(|featured| Filter::equal("featured", featured)).into_iter().collect()
    }
}

impl Content for Project {
    const KIND: ContentKind = ContentKind::Project;
    type Wire = ProjectWire;
    type Page = ProjectPage;
    type Create = ProjectCreate;
    type Query = ProjectQuery;

    fn create(id: String, now: Timestamp, create: ProjectCreate) -> Self {
        Self {
            id,
            name: create.name,
            description: create.description,
            long_description: create.long_description,
            tech: create.tech,
            company: create.company,
            featured: create.featured,
            github_url: create.github_url,
            live_url: create.live_url,
            image_url: create.image_url,
            created_at: stamp(now),
            updated_at: stamp(now),
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn created_at(&self) -> &str {
        &self.created_at
    }

    fn changed(&mut self, _: &Map<String, Value>, now: Timestamp) {
        self.updated_at = stamp(now);
    }

    fn published(&mut self, _: Option<Timestamp>, now: Timestamp) {
        self.updated_at = stamp(now);
    }

    fn indexed(&self, status: Status) -> Indexed {
        Indexed { partition: partition(Self::KIND, status), sort: sorted_by(Self::KIND, &self.created_at) }
    }

    fn partitions(_: &ProjectQuery, statuses: &[Status]) -> Vec<String> {
        statuses.iter().map(|status| partition(Self::KIND, *status)).collect()
    }

    fn wire(self, status: Status) -> ProjectWire {
        ProjectWire {
            id: self.id,
            name: self.name,
            description: self.description,
            long_description: self.long_description,
            tech: self.tech,
            company: self.company,
            featured: self.featured,
            github_url: self.github_url,
            live_url: self.live_url,
            image_url: self.image_url,
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn page(projects: Vec<ProjectWire>, total: usize, Paging { limit, offset }: Paging) -> ProjectPage {
        ProjectPage { projects, total, limit, offset }
    }
}
