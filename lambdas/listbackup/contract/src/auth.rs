//! The functions of the auth stack, in the binary `listbackup-auth`.

use crate::function;

function! {
    /// Registers a user with an account: [`RegisterRoute`].
    Register is "register" in "auth" {
        /// The name of [`USERS`](crate::tables::USERS).
        users_table: V,
        /// The name of [`ACCOUNTS`](crate::tables::ACCOUNTS).
        accounts_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The user pool.
        user_pool_id: V,
        /// The user pool's client.
        user_pool_client_id: V,
        /// The sender of welcome mails, if they are sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        ses_from_email: Option<V>,
        /// The most requests to sign-in routes in a minute, of each address and of each account.
        sign_in_per_minute: V,
    }
}

function! {
    /// Signs a user in: [`LoginRoute`].
    Login is "login" in "auth" {
        /// The stage's name: the audience of tokens.
        stage: V,
        /// The name of [`USERS`](crate::tables::USERS), which also counts attempts to sign in.
        users_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The user pool.
        user_pool_id: V,
        /// The user pool's client.
        user_pool_client_id: V,
        /// The secret that signs access tokens.
        access_secret_arn: V,
        /// The secret that signs refresh tokens.
        refresh_secret_arn: V,
        /// The most requests to sign-in routes in a minute, of each address and of each account.
        sign_in_per_minute: V,
    }
}

function! {
    /// Exchanges a refresh token for new tokens: [`RefreshRoute`].
    Refresh is "refresh" in "auth" {
        /// The stage's name: the audience of tokens.
        stage: V,
        /// The name of [`USERS`](crate::tables::USERS).
        users_table: V,
        /// The secret that signs access tokens.
        access_secret_arn: V,
        /// The secret that signs refresh tokens.
        refresh_secret_arn: V,
        /// The most requests to sign-in routes in a minute, of each address and of each account.
        sign_in_per_minute: V,
    }
}

function! {
    /// Signs a user out: [`LogoutRoute`].
    Logout is "logout" in "auth" {
        /// The name of [`USERS`](crate::tables::USERS).
        users_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The user pool.
        user_pool_id: V,
    }
}

function! {
    /// Starts the setup of a second factor: [`MfaSetupRoute`].
    MfaSetup is "mfaSetup" in "auth" {
        /// The name of [`USERS`](crate::tables::USERS), which also counts attempts to sign in.
        users_table: V,
        /// The user pool.
        user_pool_id: V,
        /// The user pool's client.
        user_pool_client_id: V,
        /// The most requests to sign-in routes in a minute, of each address and of each account.
        sign_in_per_minute: V,
    }
}

function! {
    /// Ends the setup of a second factor: [`MfaVerifyRoute`].
    MfaVerify is "mfaVerify" in "auth" {
        /// The name of [`USERS`](crate::tables::USERS), which also counts attempts to sign in.
        users_table: V,
        /// The user pool.
        user_pool_id: V,
        /// The user pool's client.
        user_pool_client_id: V,
        /// The most requests to sign-in routes in a minute, of each address and of each account.
        sign_in_per_minute: V,
    }
}

contract::routes! {
    /// The route of [`Register`], which is public.
    pub enum RegisterRoute {
        /// Registers a user with an account.
        Register => Post "/auth/register",
    }
}

contract::routes! {
    /// The route of [`Login`], which is public.
    pub enum LoginRoute {
        /// Signs a user in.
        Login => Post "/auth/login",
    }
}

contract::routes! {
    /// The route of [`Refresh`], which is public.
    pub enum RefreshRoute {
        /// Exchanges a refresh token for new tokens.
        Refresh => Post "/auth/refresh",
    }
}

contract::routes! {
    /// The route of [`Logout`].
    pub enum LogoutRoute {
        /// Signs the user out.
        Logout => Post "/auth/logout",
    }
}

contract::routes! {
    /// The route of [`MfaSetup`].
    pub enum MfaSetupRoute {
        /// Returns the secret of a second factor.
        Setup => Post "/auth/mfa/setup",
    }
}

contract::routes! {
    /// The route of [`MfaVerify`].
    pub enum MfaVerifyRoute {
        /// Enables the second factor.
        Verify => Post "/auth/mfa/verify",
    }
}
