//! What devices do to a pipeline, without hardware: `millstream run` under a camera of our own.

mod camera;
