//! Closed connections are forgotten. API Gateway reports most of them; the others are found when a message is sent.

use common::{Error, Started, web_socket};
use listbackup_contract::live::Disconnect;

use super::connections::Connections;

/// Forgets connections until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn disconnect(started: Started<Disconnect>) -> Result<(), Error> {
    let connections = Connections::new(&started.aws, started.environment.connections_table);
    web_socket::serve::<Disconnect>(async |event| {
        connections.remove(&event.connection_id).await?;
        Ok(200)
    })
    .await
}
