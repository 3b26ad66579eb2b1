//! The pool of a store that makes its own.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::{Config, NoTls, config::SslMode};

use super::settings::PostgresEventSettings;
use crate::error::Error;

/// Connections of a store that makes its own pool.
const CONNECTIONS: usize = 16;

/// The kernel counts in whole seconds.
const KEEPALIVE_MIN: Duration = Duration::from_secs(1);

/// Connections as the settings say: encrypted if they name whom to trust, and then never otherwise.
pub(super) fn pool(mut config: Config, settings: &PostgresEventSettings) -> Result<Pool, Error> {
    // Behind the caller's own, so that the store's count.
    let options = [config.get_options().unwrap_or_default(), &settings.session_options()].join(" ");
    config.options(options).connect_timeout(settings.deadline);
    // An idle connection that is lost without a word is closed by the kernel after two deadlines and not found
    // out by its next user. What the caller has set stays.
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(settings.deadline.max(KEEPALIVE_MIN));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(settings.deadline.max(KEEPALIVE_MIN));
    }
    if config.get_application_name().is_none() {
        config.application_name(format!("event store of {}", settings.region));
    }
    let manager = manager(config, settings)?;
    let pool = Pool::builder(manager).max_size(CONNECTIONS).build();
    pool.map_err(|cause| Error::invalid("bad-pool", cause.to_string()))
}

fn manager(config: Config, settings: &PostgresEventSettings) -> Result<Manager, Error> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    #[cfg(feature = "tls")]
    if let Some(trust) = &settings.trust {
        let mut config = config;
        config.ssl_mode(SslMode::Require);
        return Ok(Manager::from_config(config, super::tls::MakeEncrypted(trust.config()), recycling));
    }
    if config.get_ssl_mode() == SslMode::Require {
        let region = &settings.region;
        let message =
            format!("{region}: encryption is demanded, but whom to trust is not said: set `trust` (feature tls)");
        return Err(Error::invalid("no-trust", message));
    }
    Ok(Manager::from_config(config, NoTls, recycling))
}
