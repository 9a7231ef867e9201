// Measures what a page of Millstream receives. Runs inside the page.
window.probe = (() => {
  const tracks = () => window.millstream?.pc?.getReceivers().map((receiver) => receiver.track) ?? [];
  const track = (kind) => tracks().find((track) => track.kind === kind);
  const until = async (ready, patience) => {
    const end = performance.now() + patience;
    while (!ready()) {
      if (performance.now() > end) return false;
      await new Promise((wake) => setTimeout(wake, 20));
    }
    return true;
  };

  // Calls `each` with every item of the track of `kind`, until it returns false.
  const read = async (kind, each) => {
    const copy = track(kind).clone();
    const reader = new MediaStreamTrackProcessor({ track: copy, maxBufferSize: 100 }).readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const more = await each(value);
      value.close();
      if (!more) break;
    }
    reader.cancel();
    copy.stop();
  };

  // The timecode strip of a picture, or null.
  const strip = async (frame) => {
    const width = frame.visibleRect.width;
    const cell = Math.min(16, 2 * Math.floor(width / 84));
    const rect = { x: 0, y: 0, width, height: 16 };
    const bytes = new Uint8Array(frame.allocationSize({ rect }));
    const [luma] = await frame.copyTo(bytes, { rect });
    const bit = (index) => bytes[luma.offset + 8 * luma.stride + index * cell + cell / 2] > 125 ? 1 : 0;
    if (bit(0) !== 1 || bit(1) !== 0) return null;
    const byte = (start) => { let value = 0; for (let i = 0; i < 8; i++) value = value * 2 + bit(start + i); return value; };
    const four = [2, 10, 18, 26].map(byte);
    if (byte(34) !== four.reduce((a, b) => a ^ b)) return null;
    return ((four[0] * 256 + four[1]) * 256 + four[2]) * 256 + four[3];
  };

  const base64 = (buffers) => new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.readAsDataURL(new Blob(buffers));
  });

  // What can be pressed, moved or typed into, and is to be seen.
  const controls = () => [...document.querySelectorAll("button, input, a[href]")].filter((control) => control.checkVisibility());

  // Relative luminance and contrast (WCAG 2.2), of what the page's text stands on.
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    if (!/, 0\)$/.test(color) || !element.parentElement) return color;
    return ground(element.parentElement);
  };

  let frames = [];
  return {
    until,
    controls,

    // The controls that are not inside the viewport as a whole.
    outside: () => controls().filter((control) => {
      const { left, top, right, bottom } = control.getBoundingClientRect();
      return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
    }).map((control) => control.id),

    // Each text that is not over the picture, and its contrast.
    contrasts: () => [...document.querySelectorAll("#word, dt, dd, #door button, #unmute")]
      .filter((element) => element.checkVisibility() && element.textContent.trim())
      .map((element) => {
        const [one, other] = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((a, b) => b - a);
        return [element.id || element.textContent.trim(), (one + 0.05) / (other + 0.05)];
      }),

    // Once nothing glides any more and the page was painted.
    settled: async () => {
      await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
      const ending = document.getAnimations().filter((animation) => animation.effect.getTiming().iterations === 1);
      await Promise.allSettled(ending.map((animation) => animation.finished));
      return true;
    },

    // The mean of the picture's samples, 0 to 255.
    light: () => {
      const video = document.querySelector("video"), canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [160, 90];
      const context = canvas.getContext("2d");
      context.drawImage(video, 0, 0, 160, 90);
      const { data } = context.getImageData(0, 0, 160, 90);
      let sum = 0;
      for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
      return sum / (data.length / 4) / 3;
    },

    // Whether the way in use is of the newest ICE session.
    onNewWay: (patience) => {
      const transport = window.millstream.pc.getReceivers()[0].transport.iceTransport;
      const ufrag = /a=ice-ufrag:(\S+)/.exec(window.millstream.pc.localDescription.sdp)[1];
      return until(() => transport.getSelectedCandidatePair()?.local.usernameFragment === ufrag, patience);
    },

    playing: (patience) => until(() => document.querySelector("video").videoWidth > 0, patience),

    connected: (patience) => until(() => window.millstream?.pc?.connectionState === "connected", patience),

    report: () => JSON.stringify({
      page: window.millstream?.state, peer: window.millstream?.pc?.connectionState,
      words: document.querySelector("[aria-live]")?.textContent, tracks: tracks().map((t) => t.kind + " " + t.muted),
    }),

    // Timecodes of the next `seconds`, with the time each was seen and the size of the pictures.
    timecodes: async (seconds) => {
      const seen = [];
      const end = performance.now() + seconds * 1000;
      await read("video", async (frame) => {
        const code = await strip(frame);
        seen.push({ code, at: performance.now(), width: frame.visibleRect.width, height: frame.visibleRect.height });
        return performance.now() < end;
      });
      return seen;
    },

    // Mono sound of the next `seconds`, as base64 of little-endian floats.
    sound: async (seconds) => {
      const blocks = [];
      let left = Math.round(seconds * 48000);
      await read("audio", async (data) => {
        const block = new Float32Array(data.numberOfFrames);
        data.copyTo(block, { planeIndex: 0, format: "f32-planar" });
        blocks.push(block);
        left -= block.length;
        return left > 0;
      });
      return base64(blocks);
    },

    // Keeps the luma of every picture of the next `seconds`; how many, and their size.
    keep: async (seconds) => {
      frames = [];
      let size = null;
      const end = performance.now() + seconds * 1000;
      await read("video", async (frame) => {
        const { width, height } = frame.visibleRect;
        size = [width, height];
        const bytes = new Uint8Array(frame.allocationSize());
        const [luma] = await frame.copyTo(bytes);
        const tight = new Uint8Array(width * height);
        for (let row = 0; row < height; row++) {
          const from = luma.offset + row * luma.stride;
          tight.set(bytes.subarray(from, from + width), row * width);
        }
        frames.push(tight);
        return performance.now() < end;
      });
      return { count: frames.length, width: size[0], height: size[1] };
    },
    kept: (index) => base64([frames[index]]),
  };
})();
true
