// Runs one player inside Chromium, and tells what it has got. `?player=…&offer=video,audio&url=…&want=video`

import { WebRTCPlayer } from "@eyevinn/webrtc-player";
import { MediaMTXWebRTCReader } from "mediamtx-webrtc-react";
import { WHEPClient } from "whip-whep/whep.js";

const asked = new URLSearchParams(location.search);
const [player, url] = [asked.get("player"), asked.get("url")];
const list = (name) => asked.get(name).split(",").filter(Boolean);
const [offer, want] = [list("offer"), list("want")];
const video = document.querySelector("video");

// Whichever player makes a connection or asks by HTTP: it is looked at from outside.
const connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    connections.push(this);
    // Those of this connection alone: players make others to try things out.
    this.addEventListener("track", () => {
      video.srcObject = new MediaStream(this.getReceivers().map((receiver) => receiver.track));
    });
  }
};
let refused, failed, said;
const { fetch } = window;
window.fetch = async (...request) => {
  const response = await fetch(...request);
  const method = request[1]?.method ?? "GET";
  if (method === "POST" && response.ok) said = { offer: request[1].body, answer: await response.clone().text() };
  if (method === "POST" && !response.ok) {
    refused ??= { refused: response.status, words: (await response.clone().json().catch(() => ({}))).detail };
  }
  return response;
};

// Nothing but what a tutorial shows.
async function plain(direction, options) {
  const pc = new RTCPeerConnection(options);
  for (const kind of offer) pc.addTransceiver(kind, direction && { direction });
  await pc.setLocalDescription();
  const gathered = () => pc.iceGatheringState === "complete";
  while (!gathered()) await new Promise((change) => pc.addEventListener("icegatheringstatechange", change, { once: true }));
  const headers = { "Content-Type": "application/sdp" };
  const response = await window.fetch(url, { method: "POST", headers, body: pc.localDescription.sdp });
  if (response.ok) await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
}

const players = {
  plain: () => plain("recvonly"),
  // Without a direction: `addTransceiver("video")` offers to send as well.
  sendrecv: () => plain(undefined),
  // All but the first section have port 0 then, and are `bundle-only`.
  "max-bundle": () => plain("recvonly", { bundlePolicy: "max-bundle" }),
  "whip-whep": async () => {
    const pc = new RTCPeerConnection();
    for (const kind of offer) pc.addTransceiver(kind, { direction: "recvonly" });
    await new WHEPClient().view(pc, url);
  },
  eyevinn: async () => {
    const mediaConstraints = { audioOnly: !offer.includes("video"), videoOnly: !offer.includes("audio") };
    await new WebRTCPlayer({ video: document.createElement("video"), type: "whep", mediaConstraints }).load(new URL(url));
  },
  // It offers both, whatever one wants.
  mediamtx: async () => new MediaMTXWebRTCReader({ url, onError: (error) => { failed = { error: String(error) }; }, onTrack: () => {} }),
};

// What was decoded of each kind, and on how many streams.
async function counted() {
  const got = { video: 0, audio: 0, streams: 0 };
  for (const pc of connections.filter((pc) => pc.connectionState !== "closed")) {
    for (const report of (await pc.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      got.streams += 1;
      got[report.kind] += report.kind === "video" ? report.framesDecoded : report.jitterBufferEmittedCount > 0 ? report.packetsReceived : 0;
    }
  }
  return got;
}


players[player]().catch((error) => { failed = { error: String(error) }; });
const end = performance.now() + 15_000;
let got;
do {
  await new Promise((wake) => setTimeout(wake, 100));
  got = await counted();
} while (!refused && !failed && performance.now() < end && !(want.length && want.every((kind) => got[kind] >= 50)));
// A second longer, for what comes though nobody asked for it.
if (!refused && !failed) {
  await new Promise((wake) => setTimeout(wake, 1000));
  got = await counted();
}
const version = navigator.userAgent.match(/Chrome\/[\d.]+/)?.[0];
await fetch("/result", { method: "POST", body: JSON.stringify(refused ?? failed ?? { ...got, ...said, version }) });
