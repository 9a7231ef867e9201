"""The picture that every sender shows, and the WHEP endpoint that the Python ones are."""

import http.server
import json
import os
import sys
import threading
import time

WIDTH, HEIGHT = 1280, 720
# A little under 30 a second, as in benches/latency/clip.rs.
PERIOD = 1 / 29.9
LUMA = WIDTH * HEIGHT
SIZE = LUMA * 3 // 2
CELLS, CELL, ROWS = 42, 16, 16


class Pictures:
    """Pictures of a clip (I420), one every PERIOD, each with its capture time burned in.

    The strip is the one of crates/millstream-stages/src/timecode.rs. A picture is captured when its
    pixels are there: the clock is read after they are copied.
    """

    def __init__(self, path):
        with open(path, "rb") as clip:
            data = clip.read()
        self.pictures = [data[at : at + SIZE] for at in range(0, len(data), SIZE)]
        self.count = 0
        self.due = self.begin = time.monotonic()
        self.captured = 0.0  # seconds since the begin, of the last one

    def wait(self):
        """Seconds until the next one; the present, if it is late."""
        self.due += PERIOD
        late = time.monotonic() - self.due
        if late > 0:
            self.due += late
            return 0
        return -late

    def next(self):
        """The next one, as a bytearray."""
        picture = bytearray(self.pictures[self.count % len(self.pictures)])
        self.count += 1
        self.captured = time.monotonic() - self.begin
        millis = time.time_ns() // 1_000_000 % 2**32
        check = 0
        for byte in millis.to_bytes(4, "big"):
            check ^= byte
        bits = 0b10 << 40 | millis << 8 | check
        row = b"".join((b"\xeb" if bits >> (CELLS - 1 - cell) & 1 else b"\x10") * CELL for cell in range(CELLS))
        for start in range(0, ROWS * WIDTH, WIDTH):
            picture[start : start + len(row)] = row
        grey = b"\x80" * (len(row) // 2)
        for plane in (LUMA, LUMA + LUMA // 4):
            for start in range(plane, plane + ROWS // 2 * WIDTH // 2, WIDTH // 2):
                picture[start : start + len(grey)] = grey
        return picture


def serve(answer):
    """Serves a WHEP endpoint on a free port and says where; `answer` makes an answer of an offer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.reply(201, "application/sdp", answer(offer))

        def do_GET(self):
            self.reply(200, "application/json", "{}")

        def do_DELETE(self):
            self.reply(200, "application/json", "{}")

        def reply(self, status, kind, body):
            body = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "/whep/1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}/whep"}), flush=True)


def until_input_ends():
    """Blocks until whoever started this is gone, and then ends the process with all its threads."""
    sys.stdin.read()
    os._exit(0)
