//! Posts of the blog.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Content, ContentKind, Indexed, ListQuery, MAX_TEXT, Paging, Status, Statuses, filter::Filter, partition, sorted_by,
    stamp,
};
use crate::slug::{reading_minutes, slug};

/// A post as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) excerpt: String,
    pub(crate) content: String,
    pub(crate) category: String,
    /// In minutes.
    pub(crate) read_time: usize,
    /// With time; none for a draft.
    pub(crate) published_at: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A post of the blog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlogPost {
    /// The ID.
    pub(crate) id: String,
    /// The part of the URL that is derived from the title.
    pub(crate) slug: String,
    /// The title.
    pub(crate) title: String,
    /// A short summary.
    pub(crate) excerpt: String,
    /// The text, in Markdown.
    pub(crate) content: String,
    /// The category.
    pub(crate) category: String,
    /// The reading time: `5 min read`.
    pub(crate) read_time: String,
    /// The day of publication, or an empty string.
    pub(crate) published_at: String,
    /// The tags.
    pub(crate) tags: Vec<String>,
    /// The visibility.
    pub(crate) status: Status,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) created_at: String,
    /// When it was last changed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) updated_at: String,
}

/// A new post.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlogPostCreate {
    /// The title.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) title: String,
    /// A short summary.
    #[schemars(length(min = 1, max = 500))]
    pub(crate) excerpt: String,
    /// The text, in Markdown.
    #[schemars(length(min = 1), extend("x-maxBytes" = MAX_TEXT))]
    pub(crate) content: String,
    /// The category.
    #[schemars(length(min = 1, max = 100))]
    pub(crate) category: String,
    /// The tags.
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 50)))]
    pub(crate) tags: Vec<String>,
    /// A part of the URL that is not derived from the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 200), regex(pattern = r"^[a-z0-9-]+$"))]
    pub(crate) slug: Option<String>,
}

/// A part of the posts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct BlogPostPage {
    /// The posts, newest first.
    pub(crate) posts: Vec<BlogPost>,
    /// The number of all posts; of a list of more than 16 MB, only of its first part.
    pub(crate) total: usize,
    /// The requested limit.
    pub(crate) limit: usize,
    /// The number of skipped posts.
    pub(crate) offset: usize,
}

/// A selection of posts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) struct PostQuery {
    /// The status; only the owner gets drafts.
    #[serde(default)]
    pub(crate) status: Statuses,
    /// A category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) category: Option<String>,
    /// A tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) tag: Option<String>,
    /// The part of the list.
    #[serde(flatten)]
    pub(crate) paging: Paging,
}

impl ListQuery for PostQuery {
    fn statuses(&self) -> Statuses {
        self.status
    }

    fn paging(&self) -> Paging {
        self.paging
    }

    fn filters(&self) -> Vec<Filter> {
        let category = self.category.as_deref().map(|category| Filter::equal("category", category));
        let tag = self.tag.as_deref().map(|tag| Filter::contains("tags", tag));
        category.into_iter().chain(tag).collect()
    }
}

impl Content for Post {
    const KIND: ContentKind = ContentKind::Blog;
    type Wire = BlogPost;
    type Page = BlogPostPage;
    type Create = BlogPostCreate;
    type Query = PostQuery;

    fn create(id: String, now: Timestamp, create: BlogPostCreate) -> Self {
        let derived = Some(slug(&create.title)).filter(|slug| !slug.is_empty());
        Self {
            // A title without letters or digits has no slug. The ID is unique and consists of them.
            slug: create.slug.or(derived).unwrap_or_else(|| id.clone()),
            read_time: reading_minutes(&create.content),
            title: create.title,
            excerpt: create.excerpt,
            content: create.content,
            category: create.category,
            tags: create.tags,
            published_at: None,
            created_at: stamp(now),
            updated_at: stamp(now),
            id,
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn created_at(&self) -> &str {
        &self.created_at
    }

    fn changed(&mut self, _: &Map<String, Value>, now: Timestamp) {
        self.read_time = reading_minutes(&self.content);
        self.updated_at = stamp(now);
    }

    fn published(&mut self, at: Option<Timestamp>, now: Timestamp) {
        self.published_at = at.map(stamp);
        self.updated_at = stamp(now);
    }

    fn indexed(&self, status: Status) -> Indexed {
        let time = self.published_at.as_deref().unwrap_or(&self.created_at);
        Indexed { partition: partition(Self::KIND, status), sort: sorted_by(Self::KIND, time) }
    }

    fn category(&self) -> Option<&str> {
        Some(&self.category)
    }

    fn partitions(_: &PostQuery, statuses: &[Status]) -> Vec<String> {
        statuses.iter().map(|status| partition(Self::KIND, *status)).collect()
    }

    fn wire(self, status: Status) -> BlogPost {
        BlogPost {
            id: self.id,
            slug: self.slug,
            title: self.title,
            excerpt: self.excerpt,
            content: self.content,
            category: self.category,
            read_time: format!("{} min read", self.read_time),
            published_at: self.published_at.and_then(|time| time.get(..10).map(str::to_owned)).unwrap_or_default(),
            tags: self.tags,
            status,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn page(posts: Vec<BlogPost>, total: usize, Paging { limit, offset }: Paging) -> BlogPostPage {
        BlogPostPage { posts, total, limit, offset }
    }
}
