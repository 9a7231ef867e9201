// Watches the stream by WHEP (draft-ietf-wish-whep), and comes back by itself when it is lost.

const endpoint = location.pathname.replace(/\/$/, "") + "/whep";
const ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
const FIRST_RETRY_MS = 500, LAST_RETRY_MS = 5000;
// A connection that brings nothing for this long is given up; so the server does (15 s) a little later.
const PATIENCE_MS = 12000;
// Milliseconds from the NTP epoch to the Unix epoch (RFC 868).
const NTP_UNIX_MS = 2208988800000;

const $ = (id) => document.getElementById(id);
const video = $("video");

// For tests: state is "connecting", "playing", "lost" or "ended".
const shown = (window.millstream = { pc: null, state: "connecting", attempts: 0, resource: null, stats: null });

let session = null;
let retry = FIRST_RETRY_MS;
let timer = 0;

function say(state, words) {
  shown.state = state;
  document.body.dataset.state = state;
  for (const id of ["words", "veil-text"]) if ($(id).textContent !== words) $(id).textContent = words;
  if (state !== "playing") $("numbers").textContent = "";
}

// ---- One session ----

class Refused extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

async function connect() {
  clearTimeout(timer);
  shown.attempts += 1;
  if (shown.state !== "ended") say("connecting", "Connecting…");
  const current = (session = { pc: new RTCPeerConnection(), resource: null, tag: null, found: [], telling: false, over: false });
  const pc = (shown.pc = current.pc);
  current.patience = setTimeout(() => lose(current, "lost", "No connection came about."), PATIENCE_MS);
  for (const kind of ["video", "audio"]) {
    const transceiver = pc.addTransceiver(kind, { direction: "recvonly" });
    askForCaptureTime(transceiver);
    transceiver.receiver.track.addEventListener("unmute", () => play(current));
  }
  pc.ontrack = (event) => attach(current, event);
  pc.onicecandidate = (event) => { current.found.push(event.candidate); tell(current); };
  pc.onconnectionstatechange = () => follow(current);
  try {
    const offer = await pc.createOffer();
    await pc.setLocalDescription({ type: "offer", sdp: withStereo(offer.sdp) });
    const answer = await post(current, pc.localDescription.sdp);
    if (current.over) return;
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    tell(current);
  } catch (error) {
    if (!current.over) fail(current, error);
  }
}

async function post(current, sdp) {
  const response = await fetch(endpoint, { method: "POST", headers: { "Content-Type": "application/sdp" }, body: sdp });
  const text = await response.text();
  if (response.status !== 201) throw new Refused(response.status, detailOf(text));
  current.resource = shown.resource = new URL(response.headers.get("Location"), response.url).href;
  current.tag = response.headers.get("ETag");
  // Given up while the server answered: leave again.
  if (current.over) leave(current);
  return text;
}

// Tells the server what was found since the last time, in one request after the other.
async function tell(current) {
  if (current.telling || !current.resource || current.over || !current.found.length) return;
  current.telling = true;
  const found = current.found.splice(0);
  const lines = [];
  const ufrag = /a=ice-ufrag:(\S+)/.exec(current.pc.localDescription.sdp);
  const pwd = /a=ice-pwd:(\S+)/.exec(current.pc.localDescription.sdp);
  if (ufrag && pwd) lines.push(ufrag[0], pwd[0]);
  for (const candidate of found) {
    if (!candidate || !candidate.candidate) continue;
    const kind = candidate.sdpMLineIndex === 0 ? "video" : "audio";
    lines.push(`m=${kind} 9 UDP/TLS/RTP/SAVPF 0`, `a=mid:${candidate.sdpMid}`, `a=${candidate.candidate}`);
  }
  if (found.includes(null)) lines.push("a=end-of-candidates");
  const headers = { "Content-Type": "application/trickle-ice-sdpfrag" };
  if (current.tag) headers["If-Match"] = current.tag;
  // Without it most still connect: the server learns an address from the first packet it gets.
  await fetch(current.resource, { method: "PATCH", headers, body: lines.join("\r\n") + "\r\n" }).catch(() => {});
  current.telling = false;
  tell(current);
}

// Chromium leaves it out of offers unless told; it is what the delay is measured with.
function askForCaptureTime(transceiver) {
  if (!transceiver.setHeaderExtensionsToNegotiate) return;
  const extensions = transceiver.getHeaderExtensionsToNegotiate();
  for (const extension of extensions) if (extension.uri === ABS_CAPTURE_TIME) extension.direction = "sendrecv";
  try { transceiver.setHeaderExtensionsToNegotiate(extensions); } catch { /* then there is no delay to show */ }
}

// A receiver of Opus says that it wants stereo (RFC 7587, section 6.1); browsers do not by themselves.
function withStereo(sdp) {
  const opus = /a=rtpmap:(\d+) opus\/48000/i.exec(sdp);
  if (!opus) return sdp;
  const parameters = new RegExp(`(a=fmtp:${opus[1]} )(?!.*stereo=1)(.*)`);
  return sdp.replace(parameters, "$1$2;stereo=1");
}

function attach(current, event) {
  if (current.over) return;
  current.stream ??= event.streams[0] ?? new MediaStream();
  if (!current.stream.getTracks().includes(event.track)) current.stream.addTrack(event.track);
  current[event.track.kind] = true;
}

// The old picture stays until there is a new one.
function play(current) {
  if (current.over || !current.stream) return;
  if (video.srcObject !== current.stream) video.srcObject = current.stream;
  video.play().catch(() => {});
  follow(current);
}

function follow(current) {
  if (current.over) return;
  const state = current.pc.connectionState;
  if (state === "closed" || current.pc.getReceivers().some((receiver) => receiver.transport?.state === "closed")) {
    lose(current, "ended");
  } else if (state === "failed" || state === "disconnected") {
    lose(current, "lost");
  } else if (state === "connected") {
    for (const receiver of current.pc.getReceivers()) {
      if (receiver.transport) receiver.transport.onstatechange = () => follow(current);
    }
    const plays = video.srcObject === current.stream && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    if (plays && shown.state !== "playing") {
      clearTimeout(current.patience);
      retry = FIRST_RETRY_MS;
      $("stage").dataset.only = current.video ? "" : "audio";
      say("playing", "Playing");
      if (!current.video) $("veil-text").textContent = "Sound only";
      showSound();
    } else if (!plays) {
      $("words").textContent = $("veil-text").textContent = "Connected. Waiting for the first picture…";
    }
  }
}

// ---- Losing it, and coming back ----

function fail(current, error) {
  if (error instanceof Refused && error.status === 503) return lose(current, "lost", "All places are taken.");
  if (error instanceof Refused) return lose(current, "lost", `The server says: ${error.message}.`);
  // No answer at all: where a stream has played, its server is gone.
  if (error instanceof TypeError && navigator.onLine !== false) return lose(current, "ended");
  lose(current, "lost");
}

function lose(current, state, reason = "The stream was lost.") {
  if (current.over) return;
  end(current);
  const wait = retry;
  retry = Math.min(retry * 2, LAST_RETRY_MS);
  if (state === "ended") say("ended", "The stream has ended. Waiting for it to come back…");
  else say("lost", `${reason} Trying again in ${wait / 1000} s…`);
  timer = setTimeout(connect, wait);
}

function end(current) {
  current.over = true;
  clearTimeout(current.patience);
  leave(current);
  current.pc.close();
}

// `keepalive`: it is sent even while the page goes away.
function leave(current) {
  if (!current.resource) return;
  fetch(current.resource, { method: "DELETE", keepalive: true }).catch(() => {});
  current.resource = shown.resource = null;
}

function detailOf(text) {
  try { return JSON.parse(text).detail.replace(/\.$/, ""); } catch { return "something else than an answer"; }
}

addEventListener("pagehide", () => { clearTimeout(timer); if (session && !session.over) end(session); });
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
addEventListener("online", () => { if (session?.over) connect(); });
for (const event of ["playing", "loadeddata"]) video.addEventListener(event, () => session && follow(session));

// ---- Sound and screen ----

function showSound() {
  const has = Boolean(session?.audio);
  $("unmute").hidden = !has || !video.muted;
  $("mute").hidden = !has;
  $("mute").setAttribute("aria-pressed", String(video.muted));
  $("mute-words").textContent = video.muted ? "Sound is off" : "Sound is on";
}

function toggleSound() {
  if (!session?.audio) return;
  video.muted = !video.muted;
  video.play().catch(() => {});
  showSound();
}

function toggleFull() {
  // Safari on iPhones knows full screen for the video alone.
  if (document.fullscreenElement) document.exitFullscreen();
  else if ($("stage").requestFullscreen) $("stage").requestFullscreen().catch(() => {});
  else video.webkitEnterFullscreen?.();
}

$("unmute").onclick = $("mute").onclick = toggleSound;
$("full").onclick = video.ondblclick = toggleFull;
video.addEventListener("volumechange", showSound);
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  // Space on a button presses the button.
  if (key === "m" || (key === " " && !event.target.closest("button"))) { event.preventDefault(); toggleSound(); }
  if (key === "f") { event.preventDefault(); toggleFull(); }
});

// ---- Numbers ----

let last = null;

setInterval(async () => {
  if (shown.state !== "playing") { last = null; return; }
  const pc = session.pc;
  const now = { pc, time: performance.now(), bytes: 0, fps: 0 };
  (await pc.getStats()).forEach((entry) => {
    if (entry.type !== "inbound-rtp") return;
    now.bytes += entry.bytesReceived ?? 0;
    if (entry.kind === "video") now.fps = entry.framesPerSecond ?? 0;
  });
  if (shown.state !== "playing" || session.pc !== pc) return;
  const rate = last?.pc === pc ? (8 * (now.bytes - last.bytes)) / (now.time - last.time) : null;
  last = now;
  shown.stats = { width: video.videoWidth, height: video.videoHeight, fps: now.fps, kbps: rate, latency: latency(pc) };
  $("numbers").textContent = inWords(shown.stats);
}, 1000);

function inWords({ width, height, fps, kbps, latency }) {
  const words = [];
  if (width && session.video) words.push(`${width} × ${height}`, `${Math.round(fps)} fps`);
  if (kbps !== null) words.push(kbps < 1000 ? `${Math.round(kbps)} kbit/s` : `${(kbps / 1000).toFixed(1)} Mbit/s`);
  if (latency !== null) words.push(`${Math.round(latency)} ms`);
  return words.join(" · ");
}

// Capture to delivery, by abs-capture-time; true as far as the clocks of both machines agree.
function latency(pc) {
  // The first one is the picture's.
  for (const receiver of pc.getReceivers()) {
    const source = receiver.getSynchronizationSources()[0];
    if (source?.captureTimestamp === undefined) continue;
    const millis = source.timestamp + NTP_UNIX_MS - source.captureTimestamp - (source.senderCaptureTimeOffset ?? 0);
    if (millis > -50 && millis < 10000) return Math.max(0, millis);
  }
  return null;
}

connect();
