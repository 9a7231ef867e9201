// ---- Watching: it connects, plays, and comes back by itself when it is lost ----

const endpoint = location.pathname.replace(/\/$/, "") + "/whep";
const FIRST_RETRY_MS = 500, LAST_RETRY_MS = 5000;
// A connection that does not come about in this time is given up.
const CONNECT_MS = 12000;
// A connection may falter so long before it is looked for anew, and that may take so long: the server
// gives a viewer up that it has not heard for 7 s.
const FALTER_MS = 800, RESTART_MS = 4000;
// A page whose clock leaps by this much was stopped: a laptop that slept, a tab that was frozen.
const ASLEEP_MS = 4000;

const $ = (id) => document.getElementById(id);
const video = $("video");

// For tests, and for who looks. The state is "connecting", "playing", "lost", "ended" or "locked".
const shown = (window.millstream = { pc: null, state: "connecting", attempts: 0, resource: null, stats: null });
shown.restart = () => session.restart();

let session = null;
let servers = [];
let retry = FIRST_RETRY_MS;
let timer = 0;

const WORD = { connecting: "Connecting", playing: "Playing", lost: "Lost", ended: "Ended", locked: "Locked" };

// A word for who looks at it, a sentence over the picture and for who hears it.
function say(state, words) {
  shown.state = state;
  document.body.dataset.state = state;
  $("word").textContent = WORD[state];
  if (state !== "playing") blank();
  for (const id of ["words", "veil-words"]) if ($(id).textContent !== words) $(id).textContent = words;
}

async function connect() {
  clearTimeout(timer);
  shown.attempts += 1;
  if (shown.state !== "ended" && shown.state !== "lost") say("connecting", "Connecting…");
  const current = (session = new Session(endpoint, token(), servers));
  shown.pc = current.pc;
  current.patience = setTimeout(() => lose(current, "lost", "No connection comes about. Trying again…"), CONNECT_MS);
  current.pc.onconnectionstatechange = () => follow(current);
  for (const { track } of current.pc.getReceivers()) track.addEventListener("unmute", () => play(current));
  try {
    await current.open();
    shown.resource = current.resource;
    servers = current.servers;
  } catch (error) {
    if (!current.over) fail(current, error);
  }
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
  const transports = current.pc.getReceivers().map((receiver) => receiver.transport).filter(Boolean);
  for (const transport of transports) transport.onstatechange = () => follow(current);
  if (state === "closed" || transports.some((transport) => transport.state === "closed")) {
    // The server says goodbye. One that did while this page slept may be there still.
    lose(current, slept() ? "lost" : "ended", undefined, slept() ? 0 : retry);
  } else if (state === "failed") {
    lose(current, "lost");
  } else if (state === "disconnected") {
    current.falter ??= setTimeout(() => recover(current), FALTER_MS);
  } else if (state === "connected") {
    clearTimeout(current.falter);
    current.falter = null;
    if (video.srcObject === current.stream && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) plays(current);
    else if (shown.state === "connecting") say("connecting", "Connected. Waiting for the first picture…");
  }
}

function plays(current) {
  clearTimeout(current.patience);
  if (shown.state === "playing") return;
  retry = FIRST_RETRY_MS;
  $("stage").dataset.only = current.has.video ? "" : "audio";
  say("playing", "Playing");
  if (!current.has.video) $("veil-words").textContent = "Sound only";
  showSound();
}

// Tries another way to the server first: the decoder goes on where it was. A new session is the second thing.
async function recover(current) {
  if (current.over) return;
  say("lost", "The connection is interrupted. Trying to get it back…");
  current.patience = setTimeout(() => lose(current, "lost"), RESTART_MS);
  try {
    await current.restart();
  } catch {
    if (current.over) return;
    if (current.pc.connectionState !== "connected") return lose(current, "lost", "The connection was lost. Trying to get it back…", 0);
    // It has come back on the way it knew.
    current.rollback().catch(() => lose(current, "lost"));
  }
}

// ---- Losing it, and coming back ----

function fail(current, error) {
  if (error instanceof Refused && error.status === 401) return ask(current, error);
  if (error instanceof Refused && error.status === 503) return lose(current, "lost", "All places are taken. Waiting for one…");
  if (error instanceof Refused) return lose(current, "lost", `The server says: ${error.message}. Trying again…`);
  // No answer at all, on a network that works: the server is gone.
  lose(current, error instanceof TypeError && navigator.onLine ? "ended" : "lost");
}

function lose(current, state, words = "The stream was lost. Trying to get it back…", wait = retry) {
  if (current.over) return;
  end(current);
  retry = Math.min(retry * 2, LAST_RETRY_MS);
  say(state, state === "ended" ? "The stream has ended. Waiting for it to come back…" : words);
  timer = setTimeout(connect, wait);
}

function end(current) {
  clearTimeout(current.patience);
  clearTimeout(current.falter);
  // So the last picture stays.
  video.pause();
  current.close();
  shown.resource = null;
}

// Whether the server still knows this session, when nothing comes or after a sleep.
async function check(current) {
  if (current.over || !current.resource) return;
  try {
    await compareClocks(current);
  } catch (error) {
    if (current.over) return;
    // It does not know this session (any more), or wants to be asked by somebody who may.
    if (error instanceof Refused && error.status === 404) return lose(current, "lost", undefined, 0);
    if (error instanceof Refused && error.status === 401) return ask(current, error);
    // A request that fails while the stream plays is the next one's business.
    if (silence >= 2) fail(current, error);
  }
}

let awake = Date.now(), wokeUp = 0;
const slept = () => Date.now() - wokeUp < ASLEEP_MS || Date.now() - awake > ASLEEP_MS;
setInterval(() => {
  const now = Date.now();
  if (now - awake > ASLEEP_MS) {
    wokeUp = now;
    retry = FIRST_RETRY_MS;
    if (!session.over) check(session);
    else if (shown.state !== "locked") connect();
  }
  awake = now;
}, 500);

addEventListener("pagehide", () => { clearTimeout(timer); if (session && !session.over) end(session); });
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
addEventListener("online", () => { if (session.over && shown.state !== "locked") connect(); });
for (const event of ["playing", "loadeddata"]) video.addEventListener(event, () => session && follow(session));

// ---- The token: behind the `#` of the link, so that it is in no log, or typed in ----

const KEPT = `millstream token ${location.pathname}`;

// What a header cannot carry is no token either (RFC 6750, section 2.1): the server is asked with a wrong one, and
// refuses, so that a person is asked again.
function token() {
  const linked = /[#&]token=([^&]+)/.exec(location.hash);
  const given = linked ? decoded(linked[1]) : sessionStorage.getItem(KEPT);
  return given === null || /^[-\w.~+/]+=*$/.test(given) ? given : "?";
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function ask(current, error) {
  const wrong = Boolean(current.token);
  end(current);
  sessionStorage.removeItem(KEPT);
  say("locked", wrong ? "That was not the token of this stream." : "This stream is not open to everybody.");
  $("door").hidden = false;
  $("token").value = "";
  $("token").focus();
}

$("door").onsubmit = (event) => {
  event.preventDefault();
  if (location.hash) history.replaceState(null, "", location.pathname);
  sessionStorage.setItem(KEPT, $("token").value.trim());
  $("door").hidden = true;
  say("connecting", "Connecting…");
  connect();
};
addEventListener("hashchange", () => { $("door").hidden = true; if (session?.over) connect(); });
