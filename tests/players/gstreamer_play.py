"""GStreamer's webrtcbin as a WHEP player. `gstreamer_play.py URL OFFER WANT POLICY`, kinds by comma.

POLICY is a bundle policy of webrtcbin; `none` is its default, and offers without BUNDLE.
"""

import json
import sys
import threading
import urllib.error
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

ENOUGH, PATIENCE = 50, 15
CAPS = {
    "video": "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=97",
}
DECODE = {
    "video": "rtpvp8depay ! vp8dec ! fakesink name=end sync=false signal-handoffs=true",
    "audio": "rtpopusdepay ! opusdec ! fakesink name=end sync=false signal-handoffs=true",
}


class Player:
    def __init__(self, policy):
        Gst.init(None)
        self.got = {"video": 0, "audio": 0}
        self.gathered = threading.Event()
        self.pipeline = Gst.Pipeline.new(None)
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", policy)
        # By itself libnice leaves loopback out, where the pages of this are.
        # Kept: Python takes over the only reference to the agent.
        self.agent = self.peer.get_property("ice-agent")
        self.agent.emit("add-local-ip-address", "127.0.0.1")
        self.pipeline.add(self.peer)
        self.peer.connect("pad-added", self.added)
        self.peer.connect("notify::ice-gathering-state", self.gathering)

    def gathering(self, peer, _):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self.gathered.set()

    def added(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        chain = Gst.parse_bin_from_description(DECODE[kind], True)
        chain.get_by_name("end").connect("handoff", lambda *_: self.count(kind))
        self.pipeline.add(chain)
        chain.sync_state_with_parent()
        pad.link(chain.get_static_pad("sink"))

    def count(self, kind):
        self.got[kind] += 1

    def ask(self, what, *values):
        promise = Gst.Promise.new()
        self.peer.emit(what, *values, promise)
        promise.wait()
        return promise.get_reply()

    def play(self, url, offer, want):
        only = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        for kind in offer:
            self.peer.emit("add-transceiver", only, Gst.Caps.from_string(CAPS[kind]))
        self.pipeline.set_state(Gst.State.PLAYING)
        reply = self.ask("create-offer", None)
        self.ask("set-local-description", reply.get_value("offer"))
        self.gathered.wait(5)
        sdp = self.peer.get_property("local-description").sdp.as_text()
        request = urllib.request.Request(url, sdp.encode(), {"Content-Type": "application/sdp"})
        try:
            with urllib.request.urlopen(request) as response:
                answer = response.read().decode()
        except urllib.error.HTTPError as error:
            return {"refused": error.code, "words": json.load(error).get("detail")}
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        kind = GstWebRTC.WebRTCSDPType.ANSWER
        self.ask("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, message))
        enough, never = threading.Event(), threading.Event()

        def look():
            if want and all(self.got[kind] >= ENOUGH for kind in want):
                enough.set()
            return True

        GLib.timeout_add(100, look)
        if enough.wait(PATIENCE):
            # For what comes though nobody asked for it.
            never.wait(1)
        return {**self.got, "version": Gst.version_string().split()[-1]}


def main():
    url, offer, want, policy = sys.argv[1:]
    offer, want = ([kind for kind in text.split(",") if kind] for text in (offer, want))
    threading.Thread(target=GLib.MainLoop().run, daemon=True).start()
    player = Player(policy)
    result = player.play(url, offer, want)
    player.pipeline.set_state(Gst.State.NULL)
    print(json.dumps(result))


main()
