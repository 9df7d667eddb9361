//! The API's routes.

use contract::{Method, Route, Routes};

/// The paths that take every method and go to the API function too, rendered as `ANY` without authorizer: what no
/// route declares falls through to them, so 404, 405 and every preflight are the function's.
pub const CATCH_ALL: [&str; 2] = ["/", "/{proxy+}"];

/// A route of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiRoute {
    /// 1: is the function up? For everybody.
    Health,
    /// 2: a backend token for an identity token.
    Login,
    /// 3: the same, with other fields.
    ExchangeToken,
    /// 4: who calls.
    User,
    /// 5: takes a small video, or hands out upload links.
    Upload,
    /// 6: takes a chunk, or hands out its upload link.
    UploadChunk,
    /// 7: makes one video of what was uploaded.
    AssembleFile,
    /// 8: the caller's videos, or all for an admin.
    List,
    /// 9: how far a video is.
    Status,
    /// 10: a download link.
    Download,
    /// 11: the caller's notifications.
    Notifications,
    /// 12: marks a notification.
    MarkNotification,
    /// 13: counts.
    Stats,
    /// 14: all videos.
    Videos,
    /// 15: deletes a video and what was made of it.
    DeleteVideo,
    /// 16: notifies every user.
    TestNotification,
    /// 17: the registered servers.
    Servers,
    /// 18: registers a server.
    AddServer,
    /// 19: changes a server.
    UpdateServer,
    /// 20: forgets a server.
    DeleteServer,
    /// 21: checks every server.
    CheckServers,
    /// 22: the admins.
    Admins,
    /// 23: adds an admin.
    AddAdmin,
    /// 24: changes an admin.
    UpdateAdmin,
    /// 25: removes an admin.
    RemoveAdmin,
    /// 26: counts of admins.
    AdminStats,
    /// 27: is the worker up?
    WorkerHealth,
}

impl ApiRoute {
    /// Does the route neither move files nor call other services, so that its time is watched?
    #[must_use]
    pub const fn is_fast(self) -> bool {
        !matches!(self, Self::Upload | Self::UploadChunk | Self::AssembleFile | Self::CheckServers | Self::WorkerHealth)
    }

    /// The route's own throttle: requests per second, and in a burst. The others have the stage's.
    #[must_use]
    pub const fn throttle(self) -> Option<(u32, u32)> {
        match self {
            Self::Upload | Self::UploadChunk | Self::AssembleFile => Some((20, 40)),
            Self::Login | Self::ExchangeToken => Some((10, 20)),
            Self::TestNotification | Self::CheckServers => Some((1, 2)),
            _ => None,
        }
    }
}

impl Routes for ApiRoute {
    const ALL: &'static [Self] = &[
        Self::Health,
        Self::Login,
        Self::ExchangeToken,
        Self::User,
        Self::Upload,
        Self::UploadChunk,
        Self::AssembleFile,
        Self::List,
        Self::Status,
        Self::Download,
        Self::Notifications,
        Self::MarkNotification,
        Self::Stats,
        Self::Videos,
        Self::DeleteVideo,
        Self::TestNotification,
        Self::Servers,
        Self::AddServer,
        Self::UpdateServer,
        Self::DeleteServer,
        Self::CheckServers,
        Self::Admins,
        Self::AddAdmin,
        Self::UpdateAdmin,
        Self::RemoveAdmin,
        Self::AdminStats,
        Self::WorkerHealth,
    ];

    fn route(self) -> Route {
        let (method, path) = match self {
            Self::Health => (Method::Get, "/health"),
            Self::Login => (Method::Post, "/auth/login"),
            Self::ExchangeToken => (Method::Post, "/auth/exchange-token"),
            Self::User => (Method::Get, "/auth/user"),
            Self::Upload => (Method::Post, "/upload"),
            Self::UploadChunk => (Method::Post, "/upload-chunk"),
            Self::AssembleFile => (Method::Post, "/assemble-file"),
            Self::List => (Method::Get, "/list"),
            Self::Status => (Method::Get, "/status/{video_id}"),
            Self::Download => (Method::Get, "/download/{video_id}"),
            Self::Notifications => (Method::Get, "/notifications"),
            Self::MarkNotification => (Method::Put, "/notifications/{notification_id}"),
            Self::Stats => (Method::Get, "/admin/stats"),
            Self::Videos => (Method::Get, "/admin/videos"),
            Self::DeleteVideo => (Method::Delete, "/admin/videos/{video_id}"),
            Self::TestNotification => (Method::Post, "/admin/test-notification"),
            Self::Servers => (Method::Get, "/admin/servers"),
            Self::AddServer => (Method::Post, "/admin/servers"),
            Self::UpdateServer => (Method::Put, "/admin/servers/{id}"),
            Self::DeleteServer => (Method::Delete, "/admin/servers/{id}"),
            Self::CheckServers => (Method::Post, "/admin/servers/health-check"),
            Self::Admins => (Method::Get, "/admin/admins"),
            Self::AddAdmin => (Method::Post, "/admin/admins"),
            Self::UpdateAdmin => (Method::Put, "/admin/admins/{id}"),
            Self::RemoveAdmin => (Method::Delete, "/admin/admins/{id}"),
            Self::AdminStats => (Method::Get, "/admin/admins/stats"),
            Self::WorkerHealth => (Method::Get, "/worker-health"),
        };
        Route { method, path }
    }
}
