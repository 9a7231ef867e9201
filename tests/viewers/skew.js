// Measures how far apart a flash is seen and a beep is heard. Runs inside the page.
//
// Seen: when a picture is expected on the screen, as requestVideoFrameCallback says.
// Heard: when the sample at which the sound starts leaves the audio device, as getOutputTimestamp says.
window.skew = (() => {
  const RATE = 30, BEEP_S = 0.1, SECOND_MS = 1000;

  // Notes the flashes of `video`: pictures whose lower part turns white.
  const flashes = (video, found, phase) => {
    const canvas = new OffscreenCanvas(640, 360);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    let white = true, over = false;
    const look = (_, frame) => {
      if (over) return;
      const { videoWidth: width, videoHeight: height } = video;
      context.drawImage(video, 0, 0, width, height, 0, 0, 640, 360);
      const [red, green, blue] = context.getImageData(320, 330, 1, 1).data;
      const now = red + green + blue > 600;
      if (now && !white) {
        const made = phase(context);
        if (made !== null) found.push({ at: frame.expectedDisplayTime, phase: made });
      }
      white = now;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    return () => { over = true; };
  };

  // Notes the beeps of `stream`: sound after silence.
  const beeps = (context, stream, found) => {
    const source = context.createMediaStreamSource(stream);
    const analyser = new AnalyserNode(context, { fftSize: 4096 });
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let last = -1;
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const end = context.currentTime;
      const start = samples.findIndex((sample) => Math.abs(sample) > 0.02);
      // A start that is in the window whole: silence before it.
      if (start < 480) return;
      const time = end - (samples.length - start) / context.sampleRate;
      if (time < last + 3 * BEEP_S) return;
      last = time;
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      found.push(performanceTime + (time - contextTime) * 1000);
    }, 10);
    return () => { clearInterval(timer); source.disconnect(); };
  };

  const sleep = (millis) => new Promise((wake) => setTimeout(wake, millis));

  // Every flash with the beep that is nearest to it.
  const pairs = (seen, heard) => seen.flatMap(({ at, phase }) => {
    const nearest = heard.reduce((best, time) => (Math.abs(time - at) < Math.abs(best - at) ? time : best), Infinity);
    return Math.abs(nearest - at) < SECOND_MS / 2 ? [{ seen: at, heard: nearest, phase }] : [];
  });

  const measure = async (context, video, stream, count, phase) => {
    const seen = [], heard = [];
    const ends = [flashes(video, seen, phase), beeps(context, stream, heard)];
    await sleep((count + 2) * SECOND_MS);
    ends.forEach((end) => end());
    return pairs(seen, heard).slice(0, count);
  };

  // Milliseconds from the start of the second to the capture of the picture, from its timecode strip.
  const sinceSecond = (context) => {
    const cell = 14 * 640 / document.querySelector("video").videoWidth;
    const row = context.getImageData(0, 8, 640, 1).data;
    const bit = (index) => (row[4 * Math.floor(index * cell + cell / 2)] > 125 ? 1 : 0);
    if (bit(0) !== 1 || bit(1) !== 0) return null;
    let low = 0;
    for (let i = 2; i < 34; i++) low = (low * 2 + bit(i)) % 4294967296;
    // The strip counts modulo 2^32; the second it lies in is the page's own, a fraction of a second later.
    const now = Math.floor(performance.timeOrigin + performance.now());
    const made = now - (Math.floor(now - low) | 0);
    return made % SECOND_MS;
  };

  return {
    // What the browser itself says: how long its buffers hold each kind, in milliseconds, and how much further behind
    // the sound plays, by the capture times of what it plays now.
    buffers: async () => {
      const found = {};
      (await window.millstream.pc.getStats()).forEach((entry) => {
        if (entry.type === "inbound-rtp") found[entry.kind] = entry;
      });
      const held = ({ jitterBufferDelay, jitterBufferEmittedCount }) => (1000 * jitterBufferDelay) / jitterBufferEmittedCount;
      const { audio, video } = found;
      const behind = video.estimatedPlayoutTimestamp - audio.estimatedPlayoutTimestamp;
      return { sound: held(audio), picture: held(video), behind };
    },

    // The stream of the page.
    stream: async (count) => {
      const context = new AudioContext();
      await context.resume();
      const video = document.querySelector("video");
      const found = await measure(context, video, video.srcObject, count, sinceSecond);
      await context.close();
      return found;
    },

    // A flash and a beep that are made in the page, in step by its clocks.
    own: async (count) => {
      const context = new AudioContext();
      await context.resume();
      const destination = context.createMediaStreamDestination();
      const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
      const paint = canvas.getContext("2d");
      const pictures = canvas.captureStream(RATE);
      const stream = new MediaStream([...pictures.getVideoTracks(), ...destination.stream.getAudioTracks()]);
      const video = Object.assign(document.createElement("video"), { muted: true, srcObject: stream });
      video.style.cssText = "position:fixed;right:0;bottom:0;width:160px";
      document.body.append(video);
      // It plays once the first picture is drawn.
      video.play();

      const tone = new OscillatorNode(context, { frequency: 1000 });
      const gate = new GainNode(context, { gain: 0 });
      tone.connect(gate).connect(destination);
      tone.start();
      // Beeps at whole seconds of the context's clock from `first` on.
      const first = Math.ceil(context.currentTime) + 1;
      for (let n = 0; n < count + 4; n++) {
        gate.gain.setValueAtTime(0.25, first + n);
        gate.gain.setValueAtTime(0, first + n + BEEP_S);
      }
      let late = 0, drawing = true;
      // When the sound of this moment is made: the context renders ahead of its output by less than its latency.
      const draw = () => {
        if (!drawing) return;
        const since = context.currentTime - first;
        const flash = since >= 0 && since % 1 < BEEP_S;
        if (flash && since % 1 < 0.05) late = (since % 1) * 1000;
        paint.fillStyle = flash ? "white" : "#222";
        paint.fillRect(0, 240, 640, 120);
        paint.fillStyle = "#555";
        paint.fillRect(0, 0, (performance.now() / 10) % 640, 200);
      };
      const timer = setInterval(draw, 1000 / 60);
      const found = await measure(context, video, stream, count, () => late);
      drawing = false;
      clearInterval(timer);
      video.remove();
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
      return found;
    },
  };
})();
true
