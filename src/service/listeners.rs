//! Binds the addresses of the API and the health endpoints.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::error::ServiceError;
use crate::config::Config;
use crate::http;

/// The bound listeners.
pub(super) struct Listeners {
    pub(super) api: Vec<TcpListener>,
    /// The health endpoints alone, beside the API.
    pub(super) actuator: Option<TcpListener>,
}

impl Listeners {
    /// Binds every configured address.
    pub(super) async fn bind(config: &Config) -> Result<Self, ServiceError> {
        let (first, address) = listen(config.api.listen).await?.unzip();
        let port = address.map(|address: SocketAddr| address.port());
        let also = listen_also(&config.api.listen_also, port).await;
        let actuator = listen(config.surfaces.actuator).await?;
        Ok(Self {
            api: first.into_iter().chain(also).collect(),
            actuator: actuator.map(|(listener, _)| listener),
        })
    }

    /// The first address of the API, if it has one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.api.first()?.local_addr().ok()
    }

    /// The address of the health endpoints' own listener, if they have one.
    pub(super) fn actuator_address(&self) -> Option<SocketAddr> {
        self.actuator.as_ref()?.local_addr().ok()
    }
}

/// Binds the API's address, if it is to have one, and returns the actual one. If another program
/// uses it, finds out which.
async fn listen(
    asked: Option<SocketAddr>,
) -> Result<Option<(TcpListener, SocketAddr)>, ServiceError> {
    let Some(address) = asked else {
        return Ok(None);
    };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            let listen = listener
                .local_addr()
                .map_err(|error| ServiceError::Listen(address, error))?;
            Ok(Some((listener, listen)))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            match http::labwatch_on(address).await {
                Some(version) => Err(ServiceError::Another(address, version)),
                None => Err(ServiceError::Listen(address, error)),
            }
        }
        Err(error) => Err(ServiceError::Listen(address, error)),
    }
}

/// Binds the further addresses, on the port of the first one. A host without IPv6 has no `::1`, so
/// an address that cannot be bound is only logged.
async fn listen_also(addresses: &[SocketAddr], port: Option<u16>) -> Vec<TcpListener> {
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                tracing::warn!(%address, "another program has this address: the API does not listen there");
            }
            Err(error) => {
                tracing::info!(%address, %error, "the API does not listen on this address");
            }
        }
    }
    listeners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn further_addresses_share_the_port_and_may_be_missing() {
        let first = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = first.local_addr().expect("bound").port();
        // The second is in a network that is reserved for documentation.
        let also = ["127.0.0.2:0", "192.0.2.1:0"].map(|address| address.parse().expect("one"));
        let listeners = listen_also(&also, Some(port)).await;
        let bound: Vec<_> = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        assert_eq!(bound, [SocketAddr::from(([127, 0, 0, 2], port))]);
        assert!(
            listen_also(&also, Some(port)).await.is_empty(),
            "it is taken now"
        );
    }
}
