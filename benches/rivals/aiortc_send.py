"""An aiortc sender: a track of pictures, encoded by its own VP8 encoder. `aiortc_send.py CLIP KBPS`"""

import asyncio
import sys
import threading
from fractions import Fraction

import aiortc
import aiortc.codecs.vpx
import av

from picture import HEIGHT, LUMA, WIDTH, Pictures, serve, until_input_ends

connections = []


class Track(aiortc.MediaStreamTrack):
    """Pictures as they come due; aiortc asks for the next when it has encoded the last."""

    kind = "video"

    def __init__(self, clip):
        super().__init__()
        self.pictures = Pictures(clip)

    async def recv(self):
        await asyncio.sleep(self.pictures.wait())
        picture = memoryview(self.pictures.next())
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        start = 0
        # Rows of these widths lie without gaps between them, so that a plane is one piece.
        for plane, size in zip(frame.planes, (LUMA, LUMA // 4, LUMA // 4)):
            plane.update(picture[start : start + size])
            start += size
        frame.pts, frame.time_base = int(self.pictures.captured * 90000), Fraction(1, 90000)
        return frame


async def answer(offer, clip):
    peer = aiortc.RTCPeerConnection()
    connections.append(peer)
    await peer.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
    peer.addTrack(Track(clip))
    vp8 = [codec for codec in aiortc.RTCRtpSender.getCapabilities("video").codecs if codec.mimeType == "video/VP8"]
    peer.getTransceivers()[0].setCodecPreferences(vp8)
    await peer.setLocalDescription(await peer.createAnswer())
    return peer.localDescription.sdp


def main():
    clip, kbps = sys.argv[1], int(sys.argv[2])
    # Its own limits on the bit rate, which no setting reaches.
    aiortc.codecs.vpx.DEFAULT_BITRATE = aiortc.codecs.vpx.MAX_BITRATE = kbps * 1000
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    serve(lambda offer: asyncio.run_coroutine_threadsafe(answer(offer, clip), loop).result())
    until_input_ends()


main()
