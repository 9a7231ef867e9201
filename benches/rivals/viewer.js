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

    // Of every picture shown in the next `seconds`: milliseconds from its capture to the callback that
    // says it was presented, and to when it is expected on the screen.
    latencies: async (seconds) => {
      const offset = clockOffset();
      const seen = [];
      let unread = 0;
      let skipped = 0;
      let last = null;
      await new Promise((done) => {
        const end = performance.now() + seconds * 1000;
        const each = (now, { presentedFrames, expectedDisplayTime, presentationTime }) => {
          const frame = new VideoFrame(video);
          skipped += last === null ? 0 : presentedFrames - last - 1;
          last = presentedFrames;
          strip(frame).then((captured) => {
            frame.close();
            if (captured === null) return unread++;
            const since = (time) => {
              const at = (time + offset) % 2 ** 32;
              return (at - captured + 1.5 * 2 ** 32) % 2 ** 32 - 2 ** 31;
            };
            seen.push([since(presentationTime), since(expectedDisplayTime), since(now)]);
          });
          performance.now() < end ? video.requestVideoFrameCallback(each) : done();
        };
        video.requestVideoFrameCallback(each);
      });
      await sleep(50);
      const stats = { unread, skipped };
      for (const one of (await pc.getStats()).values()) {
        if (one.type !== "inbound-rtp" || one.kind !== "video") continue;
        for (const key of ["framesDecoded", "framesDropped", "jitterBufferDelay", "jitterBufferEmittedCount"]) stats[key] = one[key];
        for (const key of ["totalDecodeTime", "bytesReceived", "packetsLost", "keyFramesDecoded"]) stats[key] = one[key];
      }
      return { seen, stats };
    },
  };
})();
true;
