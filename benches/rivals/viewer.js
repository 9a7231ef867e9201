// A viewer that is the same for every sender: it plays what a WHEP endpoint sends, and says when each
// picture was shown and when it was captured. Runs inside a page of the sender's origin.
window.viewer = (() => {
  document.documentElement.innerHTML = "<body style='margin:0;background:#000'></body>";
  const video = document.createElement("video");
  Object.assign(video, { muted: true, autoplay: true, playsInline: true });
  video.style.width = "100vw";
  document.body.append(video);
  let pc = null;

  const sleep = (millis) => new Promise((wake) => setTimeout(wake, millis));

  // Offers to receive a picture and, if wanted, sound; the candidates are in the offer.
  const offer = async (kinds) => {
    pc = new RTCPeerConnection();
    for (const kind of kinds) pc.addTransceiver(kind, { direction: "recvonly" });
    pc.ontrack = ({ track, streams }) => {
      if (track.kind === "video") video.srcObject = streams[0] ?? new MediaStream([track]);
    };
    await pc.setLocalDescription();
    const gathered = () => pc.iceGatheringState === "complete";
    for (const end = performance.now() + 3000; !gathered() && performance.now() < end; ) await sleep(5);
  };

  const post = async (endpoint) => {
    const headers = { "Content-Type": "application/sdp" };
    const response = await fetch(endpoint, { method: "POST", headers, body: pc.localDescription.sdp });
    const sdp = await response.text();
    if (!response.ok) throw new Error(`${response.status}: ${sdp}`);
    return { sdp, session: new URL(response.headers.get("Location"), location.href) };
  };

  const leave = async (session) => {
    await fetch(session, { method: "DELETE" }).catch(() => {});
    pc.close();
  };

  const framesDecoded = async () => {
    let frames = 0;
    for (const one of (await pc.getStats()).values()) {
      if (one.type === "inbound-rtp" && one.kind === "video") frames += one.framesDecoded ?? 0;
    }
    return frames;
  };

  // The milliseconds that `performance.now()` lacks of the system's clock: read where the latter ticks,
  // because performance.timeOrigin is rounded and does not follow when the clock is set.
  const clockOffset = () => {
    const start = Date.now();
    let now;
    do now = Date.now();
    while (now === start);
    return now - performance.now();
  };

  // The timecode strip in a picture's luma: when it was captured, in ms modulo 2^32, or null.
  const strip = async (frame) => {
    const width = frame.visibleRect.width;
    const cell = Math.min(16, 2 * Math.floor(width / 84));
    const rect = { x: 0, y: 0, width, height: 16 };
    const bytes = new Uint8Array(frame.allocationSize({ rect }));
    const [luma] = await frame.copyTo(bytes, { rect });
    const bit = (index) => (bytes[luma.offset + 8 * luma.stride + index * cell + cell / 2] > 125 ? 1 : 0);
    if (bit(0) !== 1 || bit(1) !== 0) return null;
    let value = 0;
    for (let index = 2; index < 34; index++) value = value * 2 + bit(index);
    let check = 0;
    for (let index = 34; index < 42; index++) check = check * 2 + bit(index);
    const sum = [24, 16, 8, 0].reduce((sum, shift) => sum ^ ((value >>> shift) & 255), 0);
    return sum === check ? value : null;
  };

  return {
    // Joins after `pause` ms, and leaves at the first picture: how long it took, in ms after the POST was begun.
    join: async (endpoint, pause) => {
      await offer(["video", "audio"]);
      await sleep(pause);
      const reached = {};
      const start = performance.now();
      const reach = (step) => (reached[step] ??= performance.now() - start);
      pc.onconnectionstatechange = () => pc.connectionState === "connected" && reach("connected");
      const { sdp, session } = await post(endpoint);
      reach("answer");
      await pc.setRemoteDescription({ type: "answer", sdp });
      while (!(await framesDecoded())) {
        if (performance.now() - start > 20000) throw new Error("no picture after 20 s");
        await sleep(1);
      }
      reach("decoded");
      reach("connected");
      await leave(session);
      return reached;
    },

    // Joins and plays.
    play: async (endpoint) => {
      await offer(["video"]);
      const { sdp } = await post(endpoint);
      await pc.setRemoteDescription({ type: "answer", sdp });
      const end = performance.now() + 20000;
      while (!video.videoWidth) {
        if (performance.now() > end) throw new Error("no picture after 20 s");
        await sleep(20);
      }
      return [video.videoWidth, video.videoHeight];
    },

    // Of the pictures of the next `seconds`, milliseconds since their capture. `shown`: until the screen's
    // refresh at which the picture was first the video's current one, what a page paints. `told`: until
    // the browser's callback for it ran. `presented`: until the moment which that callback calls
    // presentation, which is a refresh for a picture that waits in Chromium's renderer, and before one
    // for a picture that does not.
    latencies: async (seconds) => {
      const offset = clockOffset();
      const since = (captured, time) => ((time + offset - captured + 2 ** 31) % 2 ** 32) - 2 ** 31;
      const read = async (use) => {
        const frame = new VideoFrame(video);
        const captured = await strip(frame).finally(() => frame.close());
        captured === null ? unread++ : use(captured);
      };
      const [shown, told, presented, works] = [new Map(), [], [], []];
      let unread = 0;
      const end = performance.now() + seconds * 1000;
      const refreshes = new Promise((done) => {
        const each = () => {
          const now = performance.now();
          works.push(read((captured) => shown.has(captured) || shown.set(captured, since(captured, now))));
          now < end ? requestAnimationFrame(each) : done();
        };
        requestAnimationFrame(each);
      });
      const each = (_, { presentationTime }) => {
        const now = performance.now();
        works.push(read((captured) => {
          told.push(since(captured, now));
          presented.push(since(captured, presentationTime));
        }));
        if (now < end) video.requestVideoFrameCallback(each);
      };
      video.requestVideoFrameCallback(each);
      await refreshes;
      await Promise.all(works);
      // The first one was there before the first refresh.
      shown.delete(shown.keys().next().value);
      const stats = { unread };
      for (const one of (await pc.getStats()).values()) {
        if (one.type !== "inbound-rtp" || one.kind !== "video") continue;
        for (const key of ["framesDecoded", "framesDropped", "jitterBufferDelay", "jitterBufferEmittedCount"]) stats[key] = one[key];
        for (const key of ["totalDecodeTime", "bytesReceived", "packetsLost", "keyFramesDecoded"]) stats[key] = one[key];
      }
      return { shown: [...shown.values()], told, presented, stats };
    },
  };
})();
true;
