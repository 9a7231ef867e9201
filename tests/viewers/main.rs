//! Many viewers at once, without a browser and beside one: key frames, slow viewers, coming and going.

mod native;
