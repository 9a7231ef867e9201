// ---- Numbers: what arrives, and how old it is when it is shown ----

// From the NTP epoch to the Unix epoch (RFC 868).
const NTP_UNIX_MS = 2208988800000;
const GRAPH_S = 60, REPORT_S = 5, LOSS_S = 10;
const PER_RTP_MS = 90; // the clock rate of video
const NOTHING = { latency: null, lowest: null, highest: null };

// ---- Two clocks: how far the server's is ahead of this page's, in milliseconds, and how sure that is ----

let clocks = [];

async function compareClocks(current) {
  const { utc, sent, heard } = await current.report(reported());
  const here = performance.timeOrigin + (sent + heard) / 2;
  // The quickest of the last twelve comparisons, a minute's, is the surest (RFC 5905, section 10).
  clocks = [...clocks, { ahead: utc - here, error: (heard - sent) / 2 }].slice(-12);
}

const surest = () => clocks.reduce((best, clock) => (best && best.error <= clock.error ? best : clock), null);

// ---- Each picture's age when it is shown ----

let ages = [];
let ownAges = [];

function onPicture(_, frame) {
  video.requestVideoFrameCallback(onPicture);
  if (shown.state !== "playing") return;
  const displayed = frame.expectedDisplayTime;
  if (frame.receiveTime) ownAges.push(displayed - frame.receiveTime);
  const receiver = session.pc.getReceivers().find(({ track }) => track.kind === "video");
  const source = receiver?.getSynchronizationSources()[0];
  const clock = surest();
  if (source?.captureTimestamp === undefined || frame.rtpTimestamp === undefined || !clock) return;
  // The newest picture that was received may be another than the one that is shown.
  const later = ((source.rtpTimestamp - frame.rtpTimestamp) | 0) / PER_RTP_MS;
  const captured = source.captureTimestamp - later - NTP_UNIX_MS;
  const age = performance.timeOrigin + displayed + clock.ahead - captured;
  if (age > -clock.error - 20 && age < 30000) ages.push(Math.max(0, age));
}
video.requestVideoFrameCallback?.(onPicture);

// Sound alone: its age when it is handed on to be played.
function soundAge(pc) {
  const clock = surest();
  for (const receiver of pc.getReceivers().filter(({ track }) => track.kind === "audio")) {
    const source = receiver.getSynchronizationSources()[0];
    if (source?.captureTimestamp === undefined || !clock) continue;
    return Math.max(0, source.timestamp + clock.ahead + NTP_UNIX_MS - source.captureTimestamp);
  }
  return null;
}

// ---- Once a second ----

let counted = null, last = null, history = [], minute = [], ticks = 0, silence = 0, seconds = 0;

setInterval(async () => {
  const current = session;
  if (shown.state !== "playing" || current.over) return pause();
  // A new session counts from nothing.
  if (counted !== current) [counted, last, history, silence] = [current, null, [], 0];
  const now = await count(current.pc);
  if (shown.state !== "playing" || session !== current) return;
  const before = last ?? now;
  last = now;
  history = [...history, now].slice(-LOSS_S - 1);
  shown.stats = {
    width: video.videoWidth, height: video.videoHeight, fps: now.fps,
    kbps: before === now ? null : (8 * (now.bytes - before.bytes)) / (now.time - before.time),
    ...latencyNow(current), roundTrip: now.roundTrip, loss: lossSince(history[0], now), jitterBuffer: now.jitterBuffer,
    decoded: now.decoded, dropped: now.dropped, freezes: now.freezes, frozen: now.frozen,
  };
  [ages, ownAges] = [[], []];
  show(current, shown.stats);
  // Nothing comes: paused, or gone without a word.
  silence = now.bytes === before.bytes ? silence + 1 : 0;
  if (silence === 2 || ticks < 3 || ticks % REPORT_S === 0) check(current);
  ticks += 1;
}, 1000);

// What stood there is no longer so; the graph has a gap.
function pause() {
  [last, history, silence, seconds, ages, ownAges] = [null, [], 0, 0, [], []];
  blank();
  if (minute.length) minute = [...minute, NOTHING].slice(-GRAPH_S);
  drawGraph();
}

function blank() {
  for (const id of ["latency", "size", "rate", "bits", "trip", "loss"]) $(id).textContent = "–";
}

async function count(pc) {
  const now = { time: performance.now(), bytes: 0, received: 0, lost: 0, fps: 0, roundTrip: null, jitterBuffer: null };
  const report = await pc.getStats();
  report.forEach((entry) => {
    if (entry.type === "inbound-rtp") {
      now.bytes += entry.bytesReceived ?? 0;
      now.received += entry.packetsReceived ?? 0;
      now.lost += entry.packetsLost ?? 0;
      if (entry.kind === "video") {
        Object.assign(now, {
          fps: entry.framesPerSecond ?? 0, decoded: entry.framesDecoded, dropped: entry.framesDropped,
          freezes: entry.freezeCount, frozen: entry.totalFreezesDuration * 1000,
        });
        if (entry.jitterBufferEmittedCount) now.jitterBuffer = (1000 * entry.jitterBufferDelay) / entry.jitterBufferEmittedCount;
      }
    }
    if (entry.type === "transport") {
      const seconds = report.get(entry.selectedCandidatePairId)?.currentRoundTripTime;
      if (seconds !== undefined) now.roundTrip = 1000 * seconds;
    }
  });
  return now;
}

function latencyNow(current) {
  const clock = surest();
  const sorted = (current.has.video ? ages : [soundAge(current.pc)].filter((age) => age !== null)).sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))] ?? null;
  const [latency, lowest, highest] = [at(0.5), at(0), at(1)];
  // The first pictures come in a heap, as they do for everybody who joins.
  seconds += 1;
  minute = [...minute, seconds > 2 ? { latency, lowest, highest } : NOTHING].slice(-GRAPH_S);
  const own = ownAges.sort((a, b) => a - b)[ownAges.length >> 1] ?? null;
  return { latency, latencyError: clock?.error ?? null, own };
}

function lossSince(then, now) {
  const lost = Math.max(0, now.lost - then.lost), received = now.received - then.received;
  return received + lost > 0 ? lost / (received + lost) : null;
}

// What the server is told: numbers that are there, by the names of its status.
function reported() {
  const s = shown.stats ?? {};
  const numbers = {
    latency: s.latency, "latency-error": s.latency === null ? null : s.latencyError, width: s.width, height: s.height,
    "frames-per-second": s.fps, bitrate: s.kbps && 1000 * s.kbps, "round-trip": s.roundTrip, loss: s.loss,
    "jitter-buffer": s.jitterBuffer, "frames-decoded": s.decoded, "frames-dropped": s.dropped,
    "freeze-count": s.freezes, "freezes-duration": s.frozen,
  };
  return Object.fromEntries(Object.entries(numbers).filter(([, number]) => Number.isFinite(number)));
}

// ---- In words and as a line ----

const millis = (value) => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);

function show(current, s) {
  const put = (id, value, words) => { $(id).textContent = value === null || value === undefined ? "–" : words(value); };
  put("size", s.width || null, () => `${s.width} × ${s.height}`);
  put("rate", s.fps, (fps) => `${Math.round(fps)} fps`);
  put("bits", s.kbps, (kbps) => (kbps < 1000 ? `${Math.round(kbps)} kbit/s` : `${(kbps / 1000).toFixed(1)} Mbit/s`));
  put("trip", s.roundTrip, millis);
  put("loss", s.loss, (loss) => `${(100 * loss).toFixed(loss > 0 && loss < 0.1 ? 1 : 0)} %`);
  showLatency(current, s);
}

function showLatency(current, { latency, latencyError, own }) {
  const cell = $("latency-cell");
  $("latency-name").textContent = latency === null && own !== null ? "In the browser" : "Latency";
  if (latency === null) {
    $("latency").textContent = own === null ? "–" : millis(own);
    cell.title = "From the last packet of a picture to the screen. This browser does not tell when a picture was captured.";
  } else {
    // A comparison over a slow network says little about milliseconds.
    $("latency").textContent = (latencyError > 20 ? "≈ " : "") + millis(latency);
    const what = current.has.video
      ? "From capture to the moment the browser expects a picture on the screen, measured for each by its capture time."
      : "From capture until the sound is handed on to be played, measured by its capture time.";
    cell.title = `${what} The server's clock and this one were compared to ±${millis(latencyError)}.`;
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!still || ticks % 10 === 0) drawGraph();
}

// The middle of each second as a line, its quickest and slowest picture as a band around it.
function drawGraph() {
  const middles = minute.map(({ latency }) => latency).filter((latency) => latency !== null);
  if (!middles.length) return;
  const highest = Math.max(...minute.map((second) => second.highest ?? 0));
  const ceiling = [10, 20, 30, 50, 80, 120, 200, 300, 500, 1000, 2000, 5000, 10000].find((step) => step >= highest) ?? 30000;
  const point = ([at, value]) => `${(240 * (1 - at / (GRAPH_S - 1))).toFixed(1)} ${(48 - (46 * value) / ceiling).toFixed(1)}`;
  const path = (points) => `M${points.map(point).join("L")}`;
  const runs = [[]];
  minute.forEach((second, index) => {
    if (second.latency === null) runs.push([]);
    else runs.at(-1).push({ ...second, at: minute.length - 1 - index });
  });
  const drawn = runs.filter((run) => run.length);
  $("line").setAttribute("d", drawn.map((run) => path(run.map(({ at, latency }) => [at, latency]))).join(""));
  const around = (run) => [...run.map(({ at, highest }) => [at, highest]), ...run.map(({ at, lowest }) => [at, lowest]).reverse()];
  $("band").setAttribute("d", drawn.map((run) => `${path(around(run))}Z`).join(""));
  $("ceiling").textContent = `${ceiling} ms`;
  const words = `Latency over the last minute: ${millis(Math.min(...middles))} to ${millis(Math.max(...middles))}`;
  $("graph").setAttribute("aria-label", words);
}

connect();
