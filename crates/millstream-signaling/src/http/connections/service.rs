//! The routes on one connection, whose requests are reported to its slot.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::service::TowerToHyperService;

use super::Slot;

/// The routes on one connection.
#[derive(Clone)]
pub(super) struct Service {
    routes: TowerToHyperService<Router>,
    slot: Arc<Slot>,
}

impl Service {
    pub(super) fn new(routes: Router, slot: Arc<Slot>) -> Service {
        Service { routes: TowerToHyperService::new(routes), slot }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let slot = Arc::clone(&self.slot);
        slot.request_began(request.body().is_end_stream());
        let request = request.map(|body| ObservedBody { body, slot: Arc::clone(&slot) });
        let answer = hyper::service::Service::call(&self.routes, request);
        Box::pin(async move {
            let answer = answer.await;
            slot.answered();
            answer
        })
    }
}

/// A request's body, which reports to the slot once it is whole.
struct ObservedBody {
    body: Incoming,
    slot: Arc<Slot>,
}

impl Body for ObservedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.slot.request_read();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
