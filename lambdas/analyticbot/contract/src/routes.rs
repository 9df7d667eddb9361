//! The API's routes.

contract::routes! {
    /// The route of [`Auth`](crate::Auth), which is public.
    pub enum AuthRoute {
        /// Signs a user in.
        Login => Post "/api/auth/login",
    }
}

contract::routes! {
    /// The routes of [`UserBot`](crate::UserBot).
    pub enum UserBotRoute {
        /// 1: registers the caller's bot.
        Create => Post "/api/user-bot/create",
        /// 2: returns the caller's bot.
        Status => Get "/api/user-bot/status",
        /// 3: verifies the caller's bot with Telegram.
        Verify => Post "/api/user-bot/verify",
        /// 4: deletes the caller's bot.
        Remove => Delete "/api/user-bot/remove",
        /// 5: changes the limits of the caller's bot.
        PatchRateLimits => Patch "/api/user-bot/rate-limits",
        /// 5: the same, as older clients call it.
        PutRateLimits => Put "/api/user-bot/rate-limits",
    }
}

contract::routes! {
    /// The routes of [`AdminBot`](crate::AdminBot).
    pub enum AdminBotRoute {
        /// 6: lists bots, newest first.
        List => Get "/api/admin/bots/list",
        /// 7: calls Telegram with a user's bot, which is recorded.
        Access => Post "/api/admin/bots/{user_id}/access",
        /// 8: suspends a user's bot.
        Suspend => Patch "/api/admin/bots/{user_id}/suspend",
        /// 9: activates a user's bot.
        Activate => Patch "/api/admin/bots/{user_id}/activate",
        /// 10: changes the limits of a user's bot.
        RateLimit => Patch "/api/admin/bots/{user_id}/rate-limit",
        /// 11: returns a user's bot.
        Status => Get "/api/admin/bots/{user_id}/status",
        /// 12: lists the recorded actions on a user's bot, newest first.
        Actions => Get "/api/admin/bots/{user_id}/actions",
    }
}

contract::routes! {
    /// The routes of [`Meta`](crate::Meta), which are public.
    pub enum MetaRoute {
        /// Reports the system's health.
        Health => Get "/health",
        /// Returns the description of the API.
        OpenApi => Get "/openapi.json",
        /// Shows the description of the API as a page.
        Docs => Get "/docs",
    }
}

contract::routes! {
    /// The routes of [`TelegramStub`](crate::TelegramStub): Telegram's Bot API.
    pub enum TelegramStubRoute {
        /// Calls a method of the Bot API without parameters.
        Get => Get "/telegram-stub/{bot}/{method}",
        /// Calls a method of the Bot API.
        Post => Post "/telegram-stub/{bot}/{method}",
    }
}
