//! What is served on one connection, and what its place is told of it.

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

use super::Place;

/// The routes on one connection.
#[derive(Clone)]
pub(super) struct Service {
    routes: TowerToHyperService<Router>,
    place: Arc<Place>,
}

impl Service {
    pub(super) fn new(routes: Router, place: Arc<Place>) -> Service {
        Service { routes: TowerToHyperService::new(routes), place }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let place = Arc::clone(&self.place);
        place.asked(request.body().is_end_stream());
        let request = request.map(|body| Asked { body, place: Arc::clone(&place) });
        let answer = hyper::service::Service::call(&self.routes, request);
        Box::pin(async move {
            let answer = answer.await;
            place.answered();
            answer
        })
    }
}

/// A request's body, which tells the place once it is whole.
struct Asked {
    body: Incoming,
    place: Arc<Place>,
}

impl Body for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.place.heard();
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
