//! The contract of the Portfolio: one function with forty-one routes, one table and one user pool.

use contract::{Function, FunctionName, Method, Route, Routes};
use serde::{Deserialize, Serialize};

/// The system's name.
pub const SYSTEM: &str = "portfolio";

/// The namespace of the metrics in the function's log (CloudWatch's embedded metric format). Each is a count with the
/// dimension `Environment`.
pub const METRICS_NAMESPACE: &str = "Portfolio/Auth";
/// The only dimension of the metrics. Its value is [`Api::environment`].
pub const METRICS_DIMENSION: &str = "Environment";
/// The only index of the table, with the keys `GSI1PK` and `GSI1SK`.
pub const INDEX: &str = "GSI1";

/// The attribute with the time to live of an item, in seconds since 1970.
pub const TIME_TO_LIVE: &str = "ExpiresAt";

/// Serves every route of [`ApiRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Api<V = String> {
    /// The table.
    pub dynamodb_table_name: V,
    /// The user pool whose ID tokens are accepted.
    pub cognito_user_pool_id: V,
    /// The client of the user pool: the required audience of tokens.
    pub cognito_client_id: V,
    /// The region of the user pool.
    pub cognito_region: V,
    /// The stage, for `/health` and the metrics.
    pub environment: V,
    /// The log level of the function's own code: `DEBUG`, `INFO`, `WARN` or `ERROR`.
    pub log_level: V,
    /// Comma-separated origins that get CORS headers.
    pub cors_origins: V,
    /// The most requests to sign-in routes in a minute, of each address.
    pub sign_in_per_minute: V,
    /// The name of the SecureString parameter with the salt of visitors' anonymous IDs.
    pub visitor_salt_param: V,
    /// The address of DynamoDB, if it is not AWS. With an emulator that sets `AWS_ENDPOINT_URL`, all five stay unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamodb_endpoint: Option<V>,
    /// The address of Cognito, if it is not AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cognito_endpoint: Option<V>,
    /// The required issuer of tokens, if it is not the user pool in AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cognito_issuer: Option<V>,
    /// The address of the user pool's public keys, if it is not derived from the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<V>,
    /// The salt itself, for stages without SecureString parameters; must not be set on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitor_salt: Option<V>,
}

impl<V> Function for Api<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "api", "PortfolioApiFunction");
}

/// A metric of [`METRICS_NAMESPACE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// An attempt to sign in.
    LoginAttempts,
    /// A failed attempt to sign in.
    LoginFailures,
    /// A refresh token was exchanged.
    TokenRefreshCount,
    /// A guarded route was called without a valid token, or by a user who is not the owner.
    UnauthorizedAccess,
}

impl Metric {
    /// Every metric, once.
    pub const ALL: &'static [Self] =
        &[Self::LoginAttempts, Self::LoginFailures, Self::TokenRefreshCount, Self::UnauthorizedAccess];

    /// Returns the name in CloudWatch.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoginAttempts => "LoginAttempts",
            Self::LoginFailures => "LoginFailures",
            Self::TokenRefreshCount => "TokenRefreshCount",
            Self::UnauthorizedAccess => "UnauthorizedAccess",
        }
    }
}

/// The callers that a route admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Everyone; tokens are ignored.
    Public,
    /// Everyone; the owner gets a larger response. The gateway's authorizer cannot be optional, so none is used.
    Optional,
    /// Every user with a valid token.
    SignedIn,
    /// The owner.
    Owner,
}

impl Access {
    /// Checks whether the gateway requires a token before it calls the function.
    #[must_use]
    pub const fn is_guarded(self) -> bool {
        matches!(self, Self::SignedIn | Self::Owner)
    }
}

/// The rate limit of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// The limit of the API.
    Default,
    /// Signing in and refreshing, where passwords could be guessed.
    Authentication,
    /// Counting visitors and views, which every page calls.
    Tracking,
    /// All other writes.
    Write,
}

/// A body that the gateway validates before it calls the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyModel {
    /// The model's name, unique in the API.
    pub name: &'static str,
    /// The required fields. The function validates their values, because its errors name the field.
    pub required: &'static [&'static str],
}

/// The routes of [`Api`], in the order of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiRoute {
    /// Exchanges email and password for tokens.
    Login,
    /// Ends every session of the caller.
    Logout,
    /// The caller.
    Me,
    /// Lists posts.
    ListPosts,
    /// Creates a post, as a draft.
    CreatePost,
    /// One post.
    GetPost,
    /// Changes a post.
    UpdatePost,
    /// Deletes a post.
    DeletePost,
    /// Publishes a post.
    PublishPost,
    /// Makes a post a draft again.
    UnpublishPost,
    /// The categories of posts.
    ListCategories,
    /// Lists projects.
    ListProjects,
    /// Creates a project, as a draft.
    CreateProject,
    /// One project.
    GetProject,
    /// Changes a project.
    UpdateProject,
    /// Deletes a project.
    DeleteProject,
    /// Publishes a project.
    PublishProject,
    /// Makes a project a draft again.
    UnpublishProject,
    /// Lists certifications and courses.
    ListCertifications,
    /// Creates a certification, as a draft.
    CreateCertification,
    /// One certification.
    GetCertification,
    /// Changes a certification.
    UpdateCertification,
    /// Deletes a certification.
    DeleteCertification,
    /// Publishes a certification.
    PublishCertification,
    /// Makes a certification a draft again.
    UnpublishCertification,
    /// Counts a visitor, once per session and day.
    TrackVisitor,
    /// The number of visitors.
    VisitorCount,
    /// Visitors per day.
    DailyVisitors,
    /// Visitors per month.
    MonthlyVisitors,
    /// Counts a view of content, once per session and 24 hours.
    TrackView,
    /// Views of one piece of content.
    ContentViews,
    /// Views of all content of a type.
    TypeViews,
    /// The most viewed content.
    TopContent,
    /// The number of all views.
    TotalViews,
    /// Exchanges a refresh token for new tokens.
    Refresh,
    /// Views, visitors and top pages.
    Overview,
    /// Views per page of a type.
    PageViews,
    /// Views of one post, with its title.
    PostStats,
    /// Name and version of the API.
    Root,
    /// The status of the API.
    Health,
    /// The API's description.
    OpenApi,
}

impl Routes for ApiRoute {
    const ALL: &'static [Self] = &[
        Self::Login,
        Self::Logout,
        Self::Me,
        Self::ListPosts,
        Self::CreatePost,
        Self::GetPost,
        Self::UpdatePost,
        Self::DeletePost,
        Self::PublishPost,
        Self::UnpublishPost,
        Self::ListCategories,
        Self::ListProjects,
        Self::CreateProject,
        Self::GetProject,
        Self::UpdateProject,
        Self::DeleteProject,
        Self::PublishProject,
        Self::UnpublishProject,
        Self::ListCertifications,
        Self::CreateCertification,
        Self::GetCertification,
        Self::UpdateCertification,
        Self::DeleteCertification,
        Self::PublishCertification,
        Self::UnpublishCertification,
        Self::TrackVisitor,
        Self::VisitorCount,
        Self::DailyVisitors,
        Self::MonthlyVisitors,
        Self::TrackView,
        Self::ContentViews,
        Self::TypeViews,
        Self::TopContent,
        Self::TotalViews,
        Self::Refresh,
        Self::Overview,
        Self::PageViews,
        Self::PostStats,
        Self::Root,
        Self::Health,
        Self::OpenApi,
    ];

    fn route(self) -> Route {
        let (method, path) = match self {
            Self::Login => (Method::Post, "/v1/auth/login"),
            Self::Logout => (Method::Post, "/v1/auth/logout"),
            Self::Me => (Method::Get, "/v1/auth/me"),
            Self::Refresh => (Method::Post, "/v1/auth/refresh"),
            Self::ListPosts => (Method::Get, "/v1/blog/posts"),
            Self::CreatePost => (Method::Post, "/v1/blog/posts"),
            Self::GetPost => (Method::Get, "/v1/blog/posts/{postId}"),
            Self::UpdatePost => (Method::Put, "/v1/blog/posts/{postId}"),
            Self::DeletePost => (Method::Delete, "/v1/blog/posts/{postId}"),
            Self::PublishPost => (Method::Post, "/v1/blog/posts/{postId}/publish"),
            Self::UnpublishPost => (Method::Post, "/v1/blog/posts/{postId}/unpublish"),
            Self::ListCategories => (Method::Get, "/v1/blog/categories"),
            Self::ListProjects => (Method::Get, "/v1/projects"),
            Self::CreateProject => (Method::Post, "/v1/projects"),
            Self::GetProject => (Method::Get, "/v1/projects/{projectId}"),
            Self::UpdateProject => (Method::Put, "/v1/projects/{projectId}"),
            Self::DeleteProject => (Method::Delete, "/v1/projects/{projectId}"),
            Self::PublishProject => (Method::Post, "/v1/projects/{projectId}/publish"),
            Self::UnpublishProject => (Method::Post, "/v1/projects/{projectId}/unpublish"),
            Self::ListCertifications => (Method::Get, "/v1/certifications"),
            Self::CreateCertification => (Method::Post, "/v1/certifications"),
            Self::GetCertification => (Method::Get, "/v1/certifications/{certificationId}"),
            Self::UpdateCertification => (Method::Put, "/v1/certifications/{certificationId}"),
            Self::DeleteCertification => (Method::Delete, "/v1/certifications/{certificationId}"),
            Self::PublishCertification => (Method::Post, "/v1/certifications/{certificationId}/publish"),
            Self::UnpublishCertification => (Method::Post, "/v1/certifications/{certificationId}/unpublish"),
            Self::TrackVisitor => (Method::Post, "/v1/visitors/track"),
            Self::VisitorCount => (Method::Get, "/v1/visitors/count"),
            Self::DailyVisitors => (Method::Get, "/v1/visitors/trends/daily"),
            Self::MonthlyVisitors => (Method::Get, "/v1/visitors/trends/monthly"),
            Self::TrackView => (Method::Post, "/v1/analytics/track"),
            Self::ContentViews => (Method::Get, "/v1/analytics/views/{contentType}/{contentId}"),
            Self::TypeViews => (Method::Get, "/v1/analytics/views/{contentType}"),
            Self::TopContent => (Method::Get, "/v1/analytics/top-content"),
            Self::TotalViews => (Method::Get, "/v1/analytics/total-views"),
            Self::Overview => (Method::Get, "/v1/analytics/overview"),
            Self::PageViews => (Method::Get, "/v1/analytics/pages"),
            Self::PostStats => (Method::Get, "/v1/analytics/blog/{postId}/stats"),
            Self::Root => (Method::Get, "/"),
            Self::Health => (Method::Get, "/health"),
            Self::OpenApi => (Method::Get, "/openapi.json"),
        };
        Route { method, path }
    }
}

impl ApiRoute {
    /// Returns the callers that the route admits.
    #[must_use]
    pub const fn access(self) -> Access {
        match self {
            Self::Login
            | Self::Refresh
            | Self::ListCategories
            | Self::TrackVisitor
            | Self::VisitorCount
            | Self::TrackView
            | Self::ContentViews
            | Self::Root
            | Self::Health
            | Self::OpenApi => Access::Public,
            Self::ListPosts
            | Self::GetPost
            | Self::ListProjects
            | Self::GetProject
            | Self::ListCertifications
            | Self::GetCertification => Access::Optional,
            Self::Logout | Self::Me => Access::SignedIn,
            _ => Access::Owner,
        }
    }

    /// Returns the rate limit.
    #[must_use]
    pub fn rate(self) -> Rate {
        match self {
            Self::Login | Self::Refresh => Rate::Authentication,
            Self::TrackVisitor | Self::TrackView => Rate::Tracking,
            _ if self.route().method == Method::Get => Rate::Default,
            _ => Rate::Write,
        }
    }

    /// Returns the body that the gateway validates. Updates have none, because all their fields are optional.
    #[must_use]
    pub const fn body_model(self) -> Option<BodyModel> {
        let (name, required): (_, &[&str]) = match self {
            Self::Login => ("Login", &["email", "password"]),
            Self::Refresh => ("Refresh", &["refreshToken"]),
            Self::CreatePost => ("BlogPostCreate", &["title", "excerpt", "content", "category", "tags"]),
            Self::CreateProject => ("ProjectCreate", &["name", "description", "longDescription", "tech", "company"]),
            Self::CreateCertification => {
                ("CertificationCreate", &["name", "issuer", "icon", "type", "description", "dateEarned"])
            }
            Self::TrackView => ("AnalyticsTrack", &["contentId", "contentType"]),
            _ => return None,
        };
        Some(BodyModel { name, required })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_forty_one_routes_each_once() {
        let routes: BTreeSet<_> = ApiRoute::ALL.iter().map(|route| route.route()).collect();
        assert_eq!((ApiRoute::ALL.len(), routes.len()), (41, 41));
        let outside: Vec<_> = routes.iter().map(|route| route.path).filter(|path| !path.starts_with("/v1/")).collect();
        assert_eq!(outside, ["/", "/health", "/openapi.json"]);
    }

    #[test]
    fn routes_that_change_content_require_the_owner() {
        for route in ApiRoute::ALL {
            let public = matches!(route.access(), Access::Public | Access::Optional);
            let harmless = matches!(route.rate(), Rate::Default | Rate::Authentication | Rate::Tracking);
            assert!(!public || harmless, "{route:?}");
        }
        let of = |access| ApiRoute::ALL.iter().filter(|route| route.access() == access).count();
        assert_eq!([Access::Public, Access::Optional, Access::SignedIn, Access::Owner].map(of), [10, 6, 2, 23]);
    }
}
