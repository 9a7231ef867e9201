//! The three traits. Synchronous, object-safe, one required method each; closures implement them.

use crate::codec::Codec;
use crate::control::Control;
use crate::cx::{Cx, Out};
use crate::error::Result;
use crate::time::Timestamp;

/// `Send` on native targets, nothing on wasm32, where a page has one thread and the browser's
/// objects cannot leave it.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Send` on native targets, nothing on wasm32, where a page has one thread and the browser's
/// objects cannot leave it.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSend {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSend for T {}

/// What a [`Source`] has next.
///
/// Exhaustive: a runner acts on every case, and one that lacks a case should not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// An item.
    Item(T),
    /// Nothing before this time.
    Until(Timestamp),
    /// Nothing before [`Cx::waker`] is used.
    Idle,
    /// Nothing any more.
    End,
}

/// Where items come from: a camera, a file, a test picture.
pub trait Source<T>: MaybeSend {
    /// The next item, or when to ask again.
    ///
    /// A source may block for as long as a driver takes if its descriptor says so; it returns
    /// within 100 ms once [`Cx::stopping`].
    fn next(&mut self, cx: &mut Cx) -> Result<Next<T>>;

    /// Hears a wish. Afterwards an `Until` or `Idle` is forgotten and `next` is called again.
    fn control(&mut self, wish: Control, cx: &mut Cx) {
        let _ = (wish, cx);
    }

    /// The codec of what it gives, if it is always the same: joined to what takes another, a pipeline is
    /// refused before it runs.
    fn gives(&self) -> Option<Codec> {
        None
    }
}

/// What makes items from items: an encoder, a packetizer, a scaler.
pub trait Stage<I, O>: MaybeSend {
    /// Takes one item and gives zero, one or many.
    fn process(&mut self, item: I, out: &mut Out<O>) -> Result<()>;

    /// It is the time asked for by [`Cx::wake_at`], or the [`Cx::waker`] was used. May come early.
    fn wake(&mut self, out: &mut Out<O>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// The input has ended: give what is still inside.
    fn finish(&mut self, out: &mut Out<O>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Hears a wish: `None` if it is answered here, or what to pass on upstream.
    fn control(&mut self, wish: Control, cx: &mut Cx) -> Option<Control> {
        let _ = cx;
        Some(wish)
    }

    /// The only codec that it takes, if there is one: joined to what gives another, a pipeline is refused
    /// before it runs.
    fn takes(&self) -> Option<Codec> {
        None
    }

    /// The codec of what it gives, if it is always the same.
    fn gives(&self) -> Option<Codec> {
        None
    }
}

/// Where items end: a page, a file, the program.
pub trait Sink<T>: MaybeSend {
    /// Takes one item.
    fn consume(&mut self, item: T, cx: &mut Cx) -> Result<()>;

    /// It is the time asked for by [`Cx::wake_at`], or the [`Cx::waker`] was used. May come early.
    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The input has ended, or the sink failed (but for a panic): write what is still inside. It is not
    /// called afterwards.
    fn finish(&mut self, cx: &mut Cx) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The only codec that it takes, if there is one: joined to what gives another, a pipeline is refused
    /// before it runs.
    fn takes(&self) -> Option<Codec> {
        None
    }
}

// Boxes of the traits themselves, and not of everything that implements them: a boxed closure is a
// closure already.
impl<T> Source<T> for Box<dyn Source<T>> {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<T>> {
        (**self).next(cx)
    }
    fn control(&mut self, wish: Control, cx: &mut Cx) {
        (**self).control(wish, cx);
    }
    fn gives(&self) -> Option<Codec> {
        (**self).gives()
    }
}

impl<I, O> Stage<I, O> for Box<dyn Stage<I, O>> {
    fn process(&mut self, item: I, out: &mut Out<O>) -> Result<()> {
        (**self).process(item, out)
    }
    fn wake(&mut self, out: &mut Out<O>) -> Result<()> {
        (**self).wake(out)
    }
    fn finish(&mut self, out: &mut Out<O>) -> Result<()> {
        (**self).finish(out)
    }
    fn control(&mut self, wish: Control, cx: &mut Cx) -> Option<Control> {
        (**self).control(wish, cx)
    }
    fn takes(&self) -> Option<Codec> {
        (**self).takes()
    }
    fn gives(&self) -> Option<Codec> {
        (**self).gives()
    }
}

impl<T> Sink<T> for Box<dyn Sink<T>> {
    fn consume(&mut self, item: T, cx: &mut Cx) -> Result<()> {
        (**self).consume(item, cx)
    }
    fn wake(&mut self, cx: &mut Cx) -> Result<()> {
        (**self).wake(cx)
    }
    fn finish(&mut self, cx: &mut Cx) -> Result<()> {
        (**self).finish(cx)
    }
    fn takes(&self) -> Option<Codec> {
        (**self).takes()
    }
}

impl<T, F: FnMut(&mut Cx) -> Result<Next<T>> + MaybeSend> Source<T> for F {
    fn next(&mut self, cx: &mut Cx) -> Result<Next<T>> {
        self(cx)
    }
}

impl<I, O, F: FnMut(I, &mut Out<O>) -> Result<()> + MaybeSend> Stage<I, O> for F {
    fn process(&mut self, item: I, out: &mut Out<O>) -> Result<()> {
        self(item, out)
    }
}

impl<T, F: FnMut(T, &mut Cx) -> Result<()> + MaybeSend> Sink<T> for F {
    fn consume(&mut self, item: T, cx: &mut Cx) -> Result<()> {
        self(item, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traits_are_object_safe_and_boxes_implement_them() {
        let mut source: Box<dyn Source<u8>> = Box::new(|_: &mut Cx| Ok(Next::Item(3)));
        let mut stage: Box<dyn Stage<u8, u16>> = Box::new(|item: u8, out: &mut Out<u16>| {
            out.push(u16::from(item) * 2);
            Ok(())
        });
        let mut cx = Cx::at(Timestamp::ZERO);
        let mut out = Out::at(Timestamp::ZERO);
        let Ok(Next::Item(item)) = source.next(&mut cx) else { panic!("an item") };
        stage.process(item, &mut out).unwrap();
        assert_eq!(out.items().pop_front(), Some(6));
    }
}
