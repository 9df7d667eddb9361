//! The access level of each route.

use axum::http::HeaderMap;
use thakii_contract::routes::ApiRoute;

use crate::{
    app::App,
    auth::{header::bearer, identity::Identity, role::Role},
    error::ApiError,
};

/// The access level of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Public,
    /// Requires a valid token.
    User,
    /// Requires an admin or a super admin.
    Admin,
    /// Requires a super admin.
    SuperAdmin,
}

pub(super) const fn level_of(route: ApiRoute) -> Level {
    match route {
        ApiRoute::Health | ApiRoute::Login | ApiRoute::ExchangeToken => Level::Public,
        ApiRoute::User
        | ApiRoute::Upload
        | ApiRoute::UploadChunk
        | ApiRoute::AssembleFile
        | ApiRoute::List
        | ApiRoute::Status
        | ApiRoute::Download
        | ApiRoute::Notifications
        | ApiRoute::MarkNotification => Level::User,
        ApiRoute::Stats
        | ApiRoute::Videos
        | ApiRoute::DeleteVideo
        | ApiRoute::TestNotification
        | ApiRoute::Servers
        | ApiRoute::AddServer
        | ApiRoute::UpdateServer
        | ApiRoute::DeleteServer
        | ApiRoute::CheckServers
        | ApiRoute::Admins
        | ApiRoute::AdminStats
        | ApiRoute::WorkerHealth => Level::Admin,
        ApiRoute::AddAdmin | ApiRoute::UpdateAdmin | ApiRoute::RemoveAdmin => Level::SuperAdmin,
    }
}

/// Authorizes a request: first its token, then the caller's role.
pub(super) async fn authorize(app: &App, route: ApiRoute, headers: &HeaderMap) -> Result<Option<Identity>, ApiError> {
    let level = level_of(route);
    if level == Level::Public {
        return Ok(None);
    }
    let token = bearer(headers).map_err(|error| ApiError::unauthorized(error.message()))?;
    let identity = app.authentication.verify(token).await.map_err(|error| error.response())?;
    if level != Level::User {
        require_level(level, app.role(&identity).await?)?;
    }
    Ok(Some(identity))
}

/// Checks a role against a level.
fn require_level(level: Level, role: Role) -> Result<(), ApiError> {
    match (level, role) {
        (Level::Public | Level::User, _)
        | (Level::Admin, Role::Admin | Role::SuperAdmin)
        | (Level::SuperAdmin, Role::SuperAdmin) => Ok(()),
        (Level::SuperAdmin, Role::Admin) => Err(ApiError::forbidden("Super admin privileges required")),
        (Level::Admin | Level::SuperAdmin, _) => {
            Err(ApiError::forbidden("Admin access required").with("message", "Insufficient privileges"))
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::Routes;

    use super::*;

    #[test]
    fn every_level_has_its_number_of_routes() {
        let of = |level: Level| ApiRoute::ALL.iter().filter(|route| level_of(**route) == level).count();
        assert_eq!(
            [Level::Public, Level::User, Level::Admin, Level::SuperAdmin].map(of),
            [3, 9, 12, 3],
            "public, user, admin, super admin"
        );
    }

    #[test]
    fn the_error_names_the_missing_level() {
        use Role::{Admin, SuperAdmin, User};
        let error = |level, role| require_level(level, role).map_err(|error| error.text().to_owned());
        let (admin, super_admin) =
            (Err("Admin access required".to_owned()), Err("Super admin privileges required".to_owned()));
        assert_eq!([User, Admin, SuperAdmin].map(|role| error(Level::User, role)), [Ok(()), Ok(()), Ok(())]);
        assert_eq!([User, Admin, SuperAdmin].map(|role| error(Level::Admin, role)), [admin.clone(), Ok(()), Ok(())]);
        assert_eq!([User, Admin, SuperAdmin].map(|role| error(Level::SuperAdmin, role)), [admin, super_admin, Ok(())]);
    }
}
