//! An engine behind the client API.

use std::fmt;
use std::sync::Arc;

use millstream_core::Result;

use crate::{Backend, Capabilities, EventSender, Peer, PeerOptions};

/// An engine that opens peers. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    backend: Arc<dyn Backend>,
    capabilities: Arc<Capabilities>,
}

impl Engine {
    /// The engine that `backend` implements.
    pub fn new(backend: impl Backend + 'static) -> Engine {
        let capabilities = Arc::new(backend.capabilities());
        Engine { backend: Arc::new(backend), capabilities }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.backend.name()
    }

    /// What it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Opens a peer.
    ///
    /// # Errors
    /// If `options` ask for what the engine cannot do.
    pub fn peer(&self, options: PeerOptions) -> Result<Peer> {
        self.capabilities.check(self.name(), &options)?;
        let (sender, reported) = EventSender::new();
        let (clock, codecs) = (options.clock.clone(), options.codecs.clone());
        let opened = self.backend.open(options, sender.clone())?;
        Ok(Peer::new(self.clone(), opened, clock, codecs, sender, reported))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.name()).finish()
    }
}
