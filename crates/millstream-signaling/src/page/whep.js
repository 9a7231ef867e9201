// ---- WHEP (draft-ietf-wish-whep): one session ----

const SDP = "application/sdp", FRAGMENT = "application/trickle-ice-sdpfrag";
// A server that takes longer to answer is as good as gone.
const ANSWER_MS = 10000;
const ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

// The server said no, in words.
class Refused extends Error {
  constructor(status, text) {
    super(Refused.words(text));
    this.status = status;
  }
  static words(text) {
    try { return JSON.parse(text).detail.replace(/\.$/, ""); } catch { return "something else than an answer"; }
  }
}

class Session {
  // `servers`: STUN and TURN servers that the server told of.
  constructor(endpoint, token, servers) {
    Object.assign(this, { endpoint, token, servers, resource: null, tag: null, over: false, stream: null, has: {} });
    this.found = [];
    // What was found waits until there is an ICE session to tell it to, and until the request before is answered.
    Object.assign(this, { restarting: true, telling: false });
    this.pc = new RTCPeerConnection({ iceServers: servers });
    this.pc.onicecandidate = ({ candidate }) => { this.found.push(candidate); this.tell(); };
    this.pc.ontrack = ({ track, streams }) => {
      this.stream ??= streams[0] ?? new MediaStream();
      if (!this.stream.getTracks().includes(track)) this.stream.addTrack(track);
      this.has[track.kind] = true;
    };
    for (const kind of ["video", "audio"]) askForCaptureTime(this.pc.addTransceiver(kind, { direction: "recvonly" }));
  }

  async open() {
    const offer = await this.pc.createOffer();
    await this.pc.setLocalDescription({ type: "offer", sdp: withStereo(offer.sdp) });
    const response = await this.ask("POST", this.endpoint, SDP, this.pc.localDescription.sdp);
    const answer = await response.text();
    if (response.status !== 201) throw new Refused(response.status, answer);
    this.resource = new URL(response.headers.get("Location"), response.url).href;
    this.tag = response.headers.get("ETag");
    this.servers = iceServers(response.headers.get("Link") ?? "");
    // Given up while the server answered: leave again.
    if (this.over) return this.leave();
    await this.pc.setRemoteDescription({ type: "answer", sdp: answer });
    this.restarting = false;
    this.tell();
  }

  // Looks for another way to the server, with the picture and its decoder as they are (RFC 9725, section 4.3.3).
  async restart() {
    this.restarting = true;
    const offer = await this.pc.createOffer({ iceRestart: true });
    this.found = [];
    await this.pc.setLocalDescription({ type: "offer", sdp: withStereo(offer.sdp) });
    const response = await this.ask("PATCH", this.resource, FRAGMENT, lines(this.credentials()), { "If-Match": "*" });
    const fragment = await response.text();
    if (response.status !== 200) throw new Refused(response.status, fragment);
    this.tag = response.headers.get("ETag");
    const before = this.pc.currentRemoteDescription.sdp;
    await this.pc.setRemoteDescription({ type: "answer", sdp: restarted(before, fragment) });
    this.restarting = false;
    this.tell();
  }

  // Goes on in the ICE session of before, after a restart that was refused.
  async rollback() {
    await this.pc.setLocalDescription({ type: "rollback" });
    this.restarting = false;
  }

  // Tells the server what was found since the last time, in one request after the other. Without it
  // most still connect: the server learns an address from the first packet it gets.
  async tell() {
    if (this.restarting || this.telling || this.over || !this.found.length) return;
    this.telling = true;
    const found = this.found.splice(0);
    const body = this.credentials();
    for (const candidate of found.filter((candidate) => candidate?.candidate)) {
      const kind = candidate.sdpMLineIndex === 0 ? "video" : "audio";
      body.push(`m=${kind} 9 UDP/TLS/RTP/SAVPF 0`, `a=mid:${candidate.sdpMid}`, `a=${candidate.candidate}`);
    }
    if (found.includes(null)) body.push("a=end-of-candidates");
    const headers = this.tag ? { "If-Match": this.tag } : {};
    await this.ask("PATCH", this.resource, FRAGMENT, lines(body), headers).catch(() => {});
    this.telling = false;
    this.tell();
  }

  // Tells what this page measures; the answer is the server's time, in milliseconds since the Unix epoch.
  async report(numbers) {
    const url = `${this.resource}/report`;
    const before = performance.now();
    const response = await this.ask("PUT", url, "application/json", JSON.stringify(numbers));
    const text = await response.text();
    if (!response.ok) throw new Refused(response.status, text);
    // From the request's first byte to the answer's: without the time that it takes to connect.
    const timing = performance.getEntriesByName(url).at(-1);
    performance.clearResourceTimings();
    const sent = timing?.requestStart || before, heard = timing?.responseStart || performance.now();
    return { utc: JSON.parse(text).utc, sent, heard };
  }

  // `keepalive`: it is sent even while the page goes away.
  leave() {
    if (this.resource) this.ask("DELETE", this.resource, null, null, {}, { keepalive: true }).catch(() => {});
    this.resource = null;
  }

  close() {
    this.over = true;
    this.leave();
    this.pc.close();
  }

  ask(method, url, type, body, headers = {}, options = {}) {
    if (type) headers["Content-Type"] = type;
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    return fetch(url, { method, headers, body, signal: AbortSignal.timeout(ANSWER_MS), ...options });
  }

  credentials() {
    const sdp = this.pc.localDescription.sdp;
    return [/a=ice-ufrag:\S+/, /a=ice-pwd:\S+/].map((line) => line.exec(sdp)?.[0]).filter(Boolean);
  }
}

const lines = (list) => list.map((line) => `${line}\r\n`).join("");

// Chromium leaves it out of offers unless told; it is what the latency is measured with.
function askForCaptureTime(transceiver) {
  if (!transceiver.setHeaderExtensionsToNegotiate) return;
  const extensions = transceiver.getHeaderExtensionsToNegotiate();
  for (const extension of extensions) if (extension.uri === ABS_CAPTURE_TIME) extension.direction = "sendrecv";
  try { transceiver.setHeaderExtensionsToNegotiate(extensions); } catch { /* then there is no latency to show */ }
}

// A receiver of Opus says that it wants stereo (RFC 7587, section 6.1); browsers do not by themselves.
function withStereo(sdp) {
  const opus = /a=rtpmap:(\d+) opus\/48000/i.exec(sdp);
  if (!opus) return sdp;
  return sdp.replace(new RegExp(`(a=fmtp:${opus[1]} )(?!.*stereo=1)(.*)`), "$1$2;stereo=1");
}

// The answer of before with the server's new ICE session in it.
function restarted(answer, fragment) {
  const told = (name) => new RegExp(`a=${name}:.*`).exec(fragment)?.[0];
  const candidates = fragment.match(/a=(candidate:.*|end-of-candidates)/g) ?? [];
  let first = true;
  const sdp = [];
  for (const line of answer.split(/\r?\n/).filter(Boolean)) {
    if (/^a=(candidate:|end-of-candidates)/.test(line)) continue;
    if (line.startsWith("a=ice-ufrag:")) sdp.push(told("ice-ufrag"));
    else if (line.startsWith("a=ice-pwd:")) sdp.push(told("ice-pwd"), ...(first ? candidates : []));
    else sdp.push(line);
    if (line.startsWith("a=ice-pwd:")) first = false;
  }
  return lines(sdp);
}

// `<turn:host>; rel="ice-server"; username="u"; credential="c"`, several with commas between them.
function iceServers(header) {
  const value = (text, name) => new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`).exec(text)?.[1].replace(/\\(.)/g, "$1");
  const links = header.match(/<[^>]*>(?:[^,"]|"(?:[^"\\]|\\.)*")*/g) ?? [];
  return links.filter((link) => value(link, "rel") === "ice-server").map((link) => ({
    urls: /<([^>]*)>/.exec(link)[1], username: value(link, "username"), credential: value(link, "credential"),
  }));
}
