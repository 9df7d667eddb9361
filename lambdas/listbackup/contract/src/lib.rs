//! The contract of ListBackup: thirty-one functions in five binaries, one HTTP API, eleven tables, two queues, one event bus, the three
//! functions and the table of the optional live updates, and the constants of both sides.

pub mod analytics;
pub mod api;
pub mod auth;
pub mod events;
pub mod insights;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod processors;
pub mod storage;
pub mod tables;

/// The system's name.
pub const SYSTEM: &str = "listbackup";

/// The stage whose sources may be on the same machine.
pub const LOCAL_STAGE: &str = "local";

/// Declares a function as the struct of its environment variables: its name in Lambda is `listbackup-<service>-<stage>-<name>`.
macro_rules! function {
    (
        $(#[$attribute:meta])*
        $name:ident is $function:literal in $binary:literal {
            $($(#[$of_variable:meta])* $variable:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub struct $name<V = String> {
            $($(#[$of_variable])* pub $variable: $type),*
        }

        impl<V> contract::Function for $name<V> {
            const NAME: contract::FunctionName =
                contract::FunctionName::new($crate::SYSTEM, $function, concat!(stringify!($name), "Function"))
                    .in_binary($binary);
        }
    };
}

pub(crate) use function;
