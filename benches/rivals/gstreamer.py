"""A GStreamer sender: appsrc, vp8enc, rtpvp8pay, webrtcbin. `gstreamer.py CLIP KBPS`"""

import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

from picture import HEIGHT, WIDTH, Pictures, serve, until_input_ends

Gst.init(None)

# What the other senders set as well; the rest is as GStreamer has it.
PIPELINE = """
    appsrc name=source is-live=true do-timestamp=true format=time max-buffers=1 leaky-type=downstream
        caps=video/x-raw,format=I420,width={width},height={height},framerate=30/1
    ! vp8enc deadline=1 cpu-used=-6 threads=1 end-usage=cbr target-bitrate={rate} lag-in-frames=0
        keyframe-max-dist=3000 min-quantizer=2 max-quantizer=56 static-threshold=1 undershoot=100 overshoot=15
        buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600 error-resilient=default
        max-intra-bitrate=450 dropframe-threshold=0
    ! rtpvp8pay mtu=1200 picture-id-mode=15-bit
    ! application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000
    ! webrtcbin name=peer bundle-policy=max-bundle
"""


class Sender:
    def __init__(self, clip, kbps):
        self.clip = clip
        self.rate = kbps * 1000

    def answer(self, offer):
        # One viewer at a time is all that is measured.
        text = PIPELINE.format(width=WIDTH, height=HEIGHT, rate=self.rate)
        self.pipeline = Gst.parse_launch(text)
        peer = self.pipeline.get_by_name("peer")
        gathered = threading.Event()

        def gathering(peer, _):
            if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
                gathered.set()

        peer.connect("notify::ice-gathering-state", gathering)
        self.pipeline.set_state(Gst.State.PLAYING)
        # The peer knows what it sends once it flows.
        threading.Thread(target=self.push, daemon=True).start()
        _, message = GstSdp.SDPMessage.new_from_text(offer)
        kind = GstWebRTC.WebRTCSDPType
        self.do(peer, "set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind.OFFER, message))
        promise = Gst.Promise.new()
        peer.emit("create-answer", None, promise)
        promise.wait()
        # The answer belongs to the reply, which has to live as long.
        reply = promise.get_reply()
        answer = reply.get_value("answer")
        self.do(peer, "set-local-description", answer)
        gathered.wait(5)
        return peer.get_property("local-description").sdp.as_text()

    @staticmethod
    def do(peer, what, description):
        promise = Gst.Promise.new()
        peer.emit(what, description, promise)
        promise.wait()

    def push(self):
        source = self.pipeline.get_by_name("source")
        pictures = Pictures(self.clip)
        while True:
            time.sleep(pictures.wait())
            source.emit("push-buffer", Gst.Buffer.new_wrapped(bytes(pictures.next())))


def main():
    sender = Sender(sys.argv[1], int(sys.argv[2]))
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    serve(sender.answer)
    until_input_ends()


main()
