"""aiortc as a WHEP player: offers to receive, decodes. `aiortc_play.py URL OFFER WANT`, kinds by comma."""

import asyncio
import json
import sys
import urllib.error
import urllib.request

import aiortc
from aiortc.mediastreams import MediaStreamError

ENOUGH, PATIENCE = 50, 15


def post(url, sdp):
    request = urllib.request.Request(url, sdp.encode(), {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request) as response:
        return response.read().decode()


async def play(url, offer, want):
    pc = aiortc.RTCPeerConnection()
    got = {"video": 0, "audio": 0}

    async def count(track):
        try:
            while True:
                await track.recv()
                got[track.kind] += 1
        except MediaStreamError:
            pass

    tasks = []
    pc.on("track", lambda track: tasks.append(asyncio.ensure_future(count(track))))
    for kind in offer:
        pc.addTransceiver(kind, direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    try:
        answer = await asyncio.to_thread(post, url, pc.localDescription.sdp)
    except urllib.error.HTTPError as error:
        return {"refused": error.code, "words": json.load(error).get("detail")}
    await pc.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))

    async def enough():
        while not want or not all(got[kind] >= ENOUGH for kind in want):
            await asyncio.sleep(0.1)

    try:
        await asyncio.wait_for(enough(), PATIENCE)
        # For what comes though nobody asked for it.
        await asyncio.sleep(1)
    except TimeoutError:
        pass
    await pc.close()
    return {**got, "version": aiortc.__version__}


url, *kinds = sys.argv[1:]
offer, want = ([kind for kind in text.split(",") if kind] for text in kinds)
print(json.dumps(asyncio.run(play(url, offer, want))))
