//! A client of the X server that paints on its screen.

use x11rb::connection::Connection;
use x11rb::protocol::randr::{ConnectionExt as _, Rotation};
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, Gcontext, ImageFormat, Rectangle, Screen,
};
use x11rb::rust_connection::RustConnection;

pub(crate) struct Painter {
    connection: RustConnection,
    context: Gcontext,
}

impl Painter {
    pub(crate) fn new(display: &str) -> Painter {
        let (connection, _) = RustConnection::connect(Some(display)).expect("the X server runs");
        let context = connection.generate_id().unwrap();
        let root = connection.setup().roots[0].root;
        connection.create_gc(context, root, &CreateGCAux::new().foreground(0xFF_FFFF)).unwrap().check().unwrap();
        Painter { connection, context }
    }

    fn screen(&self) -> &Screen {
        &self.connection.setup().roots[0]
    }

    /// Paints every pixel of the screen in the grey that `grey` says.
    pub(crate) fn paint(&self, grey: impl Fn(u16, u16) -> u8) {
        let (width, height) = (self.screen().width_in_pixels, self.screen().height_in_pixels);
        for y in 0..height {
            let row: Vec<u8> = (0..width).flat_map(|x| [grey(x, y), grey(x, y), grey(x, y), 0]).collect();
            let (root, y) = (self.screen().root, y as i16);
            self.connection.put_image(ImageFormat::Z_PIXMAP, root, self.context, width, 1, 0, y, 0, 24, &row).unwrap();
        }
        self.settle();
    }

    /// Makes the pointer a white square of this side, and puts its upper left corner there.
    pub(crate) fn point(&self, side: u16, x: i16, y: i16) {
        let (connection, root) = (&self.connection, self.screen().root);
        let (pixmap, context, cursor) =
            (connection.generate_id().unwrap(), connection.generate_id().unwrap(), connection.generate_id().unwrap());
        connection.create_pixmap(1, pixmap, root, side, side).unwrap();
        connection.create_gc(context, pixmap, &CreateGCAux::new().foreground(1)).unwrap();
        let all = Rectangle { x: 0, y: 0, width: side, height: side };
        connection.poly_fill_rectangle(pixmap, context, &[all]).unwrap();
        let (on, off) = (u16::MAX, 0);
        connection.create_cursor(cursor, pixmap, pixmap, on, on, on, off, off, off, 0, 0).unwrap();
        connection.change_window_attributes(root, &ChangeWindowAttributesAux::new().cursor(cursor)).unwrap();
        connection.warp_pointer(x11rb::NONE, root, 0, 0, 0, 0, x, y).unwrap();
        self.settle();
    }

    /// Makes the screen one of another size, as a new monitor would: the old one off, then its room.
    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (connection, root) = (&self.connection, self.screen().root);
        let resources = connection.randr_get_screen_resources_current(root).unwrap().reply().unwrap();
        let (time, upright) = (resources.config_timestamp, Rotation::ROTATE0);
        for crtc in resources.crtcs {
            let off =
                connection.randr_set_crtc_config(crtc, x11rb::CURRENT_TIME, time, 0, 0, x11rb::NONE, upright, &[]);
            off.unwrap().reply().unwrap();
        }
        connection.randr_set_screen_size(root, width, height, 300, 200).unwrap().check().unwrap();
    }

    /// Waits until the server has done all that.
    fn settle(&self) {
        self.connection.get_input_focus().unwrap().reply().unwrap();
    }
}
