//! The API's routes.

use contract::{Method, Route, Routes};

/// Paths for all methods of the API function, rendered as `ANY` without authorizer. They receive every request without a
/// declared route, so the function responds to preflight requests and with 404 and 405.
pub const CATCH_ALL: [&str; 2] = ["/", "/{proxy+}"];

/// A route of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiRoute {
    /// 1: the status of the API, public.
    Health,
    /// 2: exchanges an identity token for a backend token.
    Login,
    /// 3: exchanges an identity token for a backend token, with other fields.
    ExchangeToken,
    /// 4: the caller.
    User,
    /// 5: stores a small video, or returns upload links.
    Upload,
    /// 6: stores a chunk, or returns its upload link.
    UploadChunk,
    /// 7: assembles a video from uploaded chunks.
    AssembleFile,
    /// 8: the caller's videos, or all for an admin.
    List,
    /// 9: the status of a video.
    Status,
    /// 10: a download link.
    Download,
    /// 11: the caller's notifications.
    Notifications,
    /// 12: marks a notification.
    MarkNotification,
    /// 13: statistics.
    Stats,
    /// 14: all videos.
    Videos,
    /// 15: deletes a video and its results.
    DeleteVideo,
    /// 16: notifies every user.
    TestNotification,
    /// 17: the registered servers.
    Servers,
    /// 18: registers a server.
    AddServer,
    /// 19: changes a server.
    UpdateServer,
    /// 20: removes a server.
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
    /// 26: statistics of admins.
    AdminStats,
    /// 27: the health of the worker.
    WorkerHealth,
}

impl ApiRoute {
    /// Checks whether the route neither transfers files nor calls other services, so that its duration is measured.
    #[must_use]
    pub const fn is_fast(self) -> bool {
        !matches!(self, Self::Upload | Self::UploadChunk | Self::AssembleFile | Self::CheckServers | Self::WorkerHealth)
    }

    /// Checks whether the route signs users in. Its requests are limited per address and per account, so it has no throttle of
    /// its own: one client could use up a low one that all share.
    #[must_use]
    pub const fn is_sign_in(self) -> bool {
        matches!(self, Self::Login | Self::ExchangeToken)
    }

    /// Returns the route's own throttle: requests per second, and burst. Other routes have that of the stage.
    #[must_use]
    pub const fn throttle(self) -> Option<(u32, u32)> {
        match self {
            Self::Upload | Self::UploadChunk | Self::AssembleFile => Some((20, 40)),
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
