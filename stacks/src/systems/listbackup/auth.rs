//! Stack `auth`: the user pool with its client, and the six functions with which users register and sign in.

use listbackup_contract::{
    SYSTEM,
    auth::{
        Login, LoginRoute, Logout, LogoutRoute, MfaSetup, MfaSetupRoute, MfaVerify, MfaVerifyRoute, Refresh,
        RefreshRoute, Register, RegisterRoute,
    },
    limits,
};
use model::{
    parts::{
        email_pool::EmailPool,
        function::Function,
        http_api::{HttpApiHandle, HttpRoutes},
        policy::Statement,
        table::Access::{self, DeleteItem, GetItem, PutItem, UpdateItem},
        user_pool::UserPoolHandle,
    },
    template::{Stack, Text},
};

use super::{
    Shared,
    alarms::{self, Watched},
    api::open,
    core::parameter,
    functions::function,
    mail,
};

/// The operations of functions that try passwords and codes: the table of users also holds the counters of failures, which a success
/// deletes, and the codes that were used.
const COUNTED: &[Access] = &[DeleteItem, GetItem, PutItem, UpdateItem];

/// Builds the stack.
pub(super) fn stack(shared: &Shared, api: &HttpApiHandle) -> Stack {
    let Shared { stage, settings, core } = shared;
    let mut stack = Stack::new("auth", "ListBackup: users, and the functions with which they sign in.");
    let (pool, client) = (format!("{SYSTEM}-user-pool-{}", stage.name), format!("{SYSTEM}-app-client-{}", stage.name));
    let users = EmailPool::new("UserPool", &pool, ("UserPoolClient", &client))
        .attribute("email", true)
        .attribute("name", true)
        .password_length(8)
        .only_admin_sign_in()
        .protected(settings.protect_data || stage.protected);
    let users = stack.add(users);
    stack.add(parameter(stage, "UserPoolIdParameter", "cognito-user-pool-id", users.pool.id()));
    stack.add(parameter(stage, "ClientIdParameter", "cognito-client-id", users.client.id()));
    let parts = Parts { shared, users: &users };
    let register = stack.add(parts.register());
    let login = stack.add(parts.login());
    let refresh = stack.add(parts.refresh());
    let logout = stack.add(parts.logout());
    let mfa_setup = stack.add(parts.mfa_setup());
    let mfa_verify = stack.add(parts.mfa_verify());
    let routes = HttpRoutes::new(api)
        .routes_with(&register, |_: RegisterRoute| open())
        .routes_with(&login, |_: LoginRoute| open())
        .routes_with(&refresh, |_: RefreshRoute| open())
        .routes::<LogoutRoute>(&logout)
        .routes::<MfaSetupRoute>(&mfa_setup)
        .routes::<MfaVerifyRoute>(&mfa_verify);
    stack.add(routes);
    let functions = [register, login, refresh, logout, mfa_setup, mfa_verify];
    let watched = functions.map(|handle| Watched::new(&handle, limits::TIMEOUT_SECONDS));
    alarms::add_of_functions(&mut stack, stage, &core.topic, &watched);
    stack.output("UserPoolId", users.pool.id());
    stack.output("UserPoolArn", users.pool.attribute("Arn"));
    stack.output("UserPoolClientId", users.client.id());
    stack
}

struct Parts<'a> {
    shared: &'a Shared<'a>,
    users: &'a UserPoolHandle,
}

impl Parts<'_> {
    /// Allows operations of an administrator on the pool.
    fn pool(&self, operations: &[&str]) -> Statement {
        let actions: Vec<_> = operations.iter().map(|operation| format!("cognito-idp:{operation}")).collect();
        Statement::allow(actions.iter().map(String::as_str), [self.users.pool.attribute("Arn")])
    }

    fn sign_in_per_minute(&self) -> Text {
        self.shared.settings.sign_in_per_minute.to_string().into()
    }

    fn register(&self) -> Function {
        let Shared { stage, settings, core } = self.shared;
        let tables = &core.tables;
        let environment = Register {
            users_table: tables.users.name(),
            accounts_table: tables.accounts.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            user_pool_id: self.users.pool.id(),
            user_pool_client_id: self.users.client.id(),
            ses_from_email: Some(Text::from(&settings.ses_from_email)),
            sign_in_per_minute: self.sign_in_per_minute(),
        };
        function(stage, environment)
            // The table of users also counts requests and attempts.
            .allow(tables.users.allow(&[PutItem, UpdateItem]))
            .allow(tables.accounts.allow(&[PutItem]))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
            .allow([mail::send(&settings.ses_from_email)])
            .allow([self.pool(&["AdminCreateUser", "AdminSetUserPassword", "AdminDeleteUser"])])
    }

    fn login(&self) -> Function {
        let Shared { stage, core, .. } = self.shared;
        let tables = &core.tables;
        let environment = Login {
            stage: Text::from(&stage.name),
            users_table: tables.users.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            user_pool_id: self.users.pool.id(),
            user_pool_client_id: self.users.client.id(),
            access_secret_arn: core.access_secret.arn(),
            refresh_secret_arn: core.refresh_secret.arn(),
            sign_in_per_minute: self.sign_in_per_minute(),
        };
        function(stage, environment)
            .allow(tables.users.allow(COUNTED))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
            .allow(core.access_secret.read())
            .allow(core.refresh_secret.read())
            .allow([self.pool(&["AdminInitiateAuth", "AdminRespondToAuthChallenge"])])
    }

    fn refresh(&self) -> Function {
        let Shared { stage, core, .. } = self.shared;
        let users = &core.tables.users;
        let environment = Refresh {
            stage: Text::from(&stage.name),
            users_table: users.name(),
            access_secret_arn: core.access_secret.arn(),
            refresh_secret_arn: core.refresh_secret.arn(),
            sign_in_per_minute: self.sign_in_per_minute(),
        };
        function(stage, environment)
            .allow(users.allow(&[GetItem, UpdateItem]))
            .allow(core.access_secret.read())
            .allow(core.refresh_secret.read())
    }

    fn logout(&self) -> Function {
        let Shared { stage, core, .. } = self.shared;
        let tables = &core.tables;
        let environment = Logout {
            users_table: tables.users.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            user_pool_id: self.users.pool.id(),
        };
        function(stage, environment)
            .allow(tables.users.allow(&[GetItem, UpdateItem]))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
            .allow([self.pool(&["AdminUserGlobalSignOut"])])
    }

    /// The password signs the user in, whose own token then sets the factor up: these operations need no permission.
    fn mfa_setup(&self) -> Function {
        let Shared { stage, core, .. } = self.shared;
        let users = &core.tables.users;
        let environment = MfaSetup {
            users_table: users.name(),
            user_pool_id: self.users.pool.id(),
            user_pool_client_id: self.users.client.id(),
            sign_in_per_minute: self.sign_in_per_minute(),
        };
        function(stage, environment).allow(users.allow(COUNTED)).allow([self.pool(&["AdminInitiateAuth"])])
    }

    fn mfa_verify(&self) -> Function {
        let Shared { stage, core, .. } = self.shared;
        let users = &core.tables.users;
        let environment = MfaVerify {
            users_table: users.name(),
            user_pool_id: self.users.pool.id(),
            user_pool_client_id: self.users.client.id(),
            sign_in_per_minute: self.sign_in_per_minute(),
        };
        function(stage, environment)
            .allow(users.allow(COUNTED))
            .allow([self.pool(&["AdminInitiateAuth", "AdminSetUserMFAPreference"])])
    }
}
