// Notes when the page shows which picture, by the timecode strip in it. Runs inside the page.
window.shown = (() => {
  const video = document.querySelector("video");
  const canvas = new OffscreenCanvas(640, 16);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const seen = [];

  // Milliseconds since the Unix epoch modulo 2^32, or null.
  const strip = () => {
    const width = video.videoWidth;
    if (!width) return null;
    canvas.width = width;
    context.drawImage(video, 0, 0, width, 16, 0, 0, width, 16);
    const cell = Math.min(16, 2 * Math.floor(width / 84));
    const row = context.getImageData(0, 8, width, 1).data;
    const bit = (index) => (row[4 * (index * cell + cell / 2)] > 125 ? 1 : 0);
    if (bit(0) !== 1 || bit(1) !== 0) return null;
    const byte = (start) => { let value = 0; for (let i = 0; i < 8; i++) value = value * 2 + bit(start + i); return value; };
    const four = [2, 10, 18, 26].map(byte);
    if (byte(34) !== four.reduce((a, b) => a ^ b)) return null;
    return ((four[0] * 256 + four[1]) * 256 + four[2]) * 256 + four[3];
  };

  const note = () => {
    const at = performance.timeOrigin + performance.now();
    const code = strip();
    // The difference modulo 2^32, with a sign.
    if (code !== null) seen.push({ at, age: Math.floor(at - code) | 0 });
    if (seen.length > 2000) seen.splice(0, 1000);
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);

  return {
    // The first picture that was captured at `since` or later, or null after `patience` milliseconds.
    after: async (since, patience) => {
      const end = performance.now() + patience;
      for (;;) {
        const found = seen.find(({ at, age }) => at - age >= since);
        if (found) return found;
        if (performance.now() > end) return null;
        await new Promise((wake) => setTimeout(wake, 20));
      }
    },
  };
})();
true
