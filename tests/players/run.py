"""Runs each player with each page, and says what plays. `run.py FOLDER [PLAYER…]`; script/players has installed
what it needs in FOLDER.

Media has to arrive: pictures and sound are counted where the player has decoded them (Pion decodes nothing:
frames and packets), and nothing may come that was not offered. A player that offers nothing of what a page has
is to be refused, with 422: there is nothing to counter-offer.
"""

import functools
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
PAGES = {"sound": ["audio"], "video": ["video"], "both": ["video", "audio"]}
WORDS = {"video": "pictures", "audio": "packets of sound"}
# Longer than any player waits for media.
PATIENCE = 60


class Page:
    """A page of Millstream on a free port, which lets the web pages of `origin` watch."""

    def __init__(self, name, origin):
        command = [ROOT / "target/debug/millstream", "run", HERE / f"pages/{name}.toml"]
        command += ["--set", "page.bind=127.0.0.1:0", "--set", f'page.origins=["{origin}"]']
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if found := re.search(r"http://\S+", line):
                self.url = urllib.parse.urljoin(found[0], "whep")
                break
        else:
            sys.exit(f"the page of {name} does not start")
        # Read on, so that it never waits for a full pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)


class Web:
    """Serves the players that are web pages, and hears what they have got."""

    def __init__(self, folder):
        results = self.results = queue.Queue()
        files = {"/": HERE / "web/players.html", "/players.js": folder / "web/players.js"}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                file = files.get(urllib.parse.urlsplit(self.path).path)
                self.send_response(200 if file else 404)
                self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
                self.end_headers()
                if file:
                    self.wfile.write(file.read_bytes())

            def do_POST(self):
                results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def play(self, player, url, offer, want):
        asked = urllib.parse.urlencode({"player": player, "url": url, "offer": ",".join(offer), "want": ",".join(want)})
        profile = tempfile.mkdtemp(prefix="players-")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--autoplay-policy=no-user-gesture-required", "--disable-audio-output", f"{self.origin}/?{asked}"]
        environment = os.environ | {"PULSE_SERVER": "none"}
        quiet = subprocess.DEVNULL
        browser = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment, start_new_session=True)
        try:
            return self.results.get(timeout=PATIENCE)
        except queue.Empty:
            return {"error": f"nothing was told within {PATIENCE} s"}
        finally:
            # Its children as well: they are of its session.
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            shutil.rmtree(profile, ignore_errors=True)


def program(command, url, offer, want, *rest):
    """Runs a player that says in its last line what it has got."""
    command = [*command, url, ",".join(offer), ",".join(want), *rest]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return {"error": f"it has not ended within {PATIENCE} s"}
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else {"error": done.stderr.strip().splitlines()[-1:] or "it said nothing"}


def pion(program, sendrecv, url, offer, want):
    command = [program, "play", "-url", url, "-offer", ",".join(offer), "-want", ",".join(want)]
    command += ["-sendrecv"] if sendrecv else []
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    return json.loads(done.stdout) if done.stdout else {"error": done.stderr.strip()}


def players(folder, web):
    """Name, what of it, what it offers, and how it is run."""
    locked = json.loads((HERE / "web/package.json").read_text())["dependencies"]
    # The system's own Python: it is the one whose packages the system installs.
    webrtcbin = ["/usr/bin/python3", HERE / "gstreamer_play.py"]
    whepsrc = re.search(r'name = "gst-plugin-webrtchttp"\nversion = "(.+?)"', (HERE / "whepsrc/Cargo.lock").read_text())[1]
    both, picture, sound = ["video", "audio"], ["video"], ["audio"]
    each = [both, picture, sound]

    def chromium(player):
        return functools.partial(web.play, player)

    for offer in each:
        yield "Chromium", "recvonly", offer, chromium("plain")
    for offer in each:
        yield "Chromium", "no direction (sendrecv)", offer, chromium("sendrecv")
    yield "Chromium", "max-bundle", both, chromium("max-bundle")
    for offer in each:
        yield f"whip-whep {locked['whip-whep']}", "whep.js in Chromium", offer, chromium("whip-whep")
    for offer in each:
        yield f"@eyevinn/webrtc-player {locked['@eyevinn/webrtc-player']}", "in Chromium", offer, chromium("eyevinn")
    yield f"mediamtx-webrtc-react {locked['mediamtx-webrtc-react']}", "in Chromium", both, chromium("mediamtx")
    for offer in each:
        yield "GStreamer webrtcbin", "no BUNDLE (its default)", offer, lambda *a: program(webrtcbin, *a, "none")
    for offer in each:
        yield "GStreamer webrtcbin", "max-bundle", offer, lambda *a: program(webrtcbin, *a, "max-bundle")
    for offer in each:
        yield f"GStreamer whepsrc {whepsrc}", "max-bundle (always)", offer, functools.partial(program, [folder / "whepsrc/debug/whepsrc"])
    for sendrecv in (False, True):
        for offer in each:
            direction = "sendrecv" if sendrecv else "recvonly"
            yield "Pion", direction, offer, functools.partial(pion, folder / "pion", sendrecv)
    for offer in each:
        yield "aiortc", "", offer, functools.partial(program, [folder / "aiortc/bin/python3", HERE / "aiortc_play.py"])


def judge(result, want, offer):
    """What a cell says, and whether it is what it should be."""
    if "error" in result:
        return f"✗ {result['error']}", False
    if "refused" in result:
        right = not want and result["refused"] == 422
        return f"{'' if right else '✗ '}refused, {result['refused']}", right
    got = {kind: result[kind] for kind in WORDS}
    right = bool(want) and all((got[kind] >= 50) == (kind in want) and (kind in want or not got[kind]) for kind in WORDS)
    # A stream more than what was asked for would show in a browser's statistics.
    right &= result.get("streams", len(want)) == len(want)
    text = ", ".join(f"{count} {WORDS[kind]}" for kind, count in got.items() if count) or "nothing"
    return text if right else f"✗ {text}", right


def main():
    folder, *only = pathlib.Path(sys.argv[1]), *sys.argv[2:]
    web = Web(folder)
    pages = {name: Page(name, web.origin) for name in PAGES}
    rows, right, cells = [], 0, 0
    try:
        for name, what, offer, play in players(folder, web):
            if only and not any(word.lower() in f"{name} {what}".lower() for word in only):
                continue
            row = []
            for page, has in PAGES.items():
                want = [kind for kind in offer if kind in has]
                # Each section has a transport of its own then, and a page has one (RFC 9143, section 7.3).
                want = want[:1] if "no BUNDLE" in what else want
                result = play(pages[page].url, offer, want)
                text, good = judge(result, want, offer)
                row.append(text)
                right, cells = right + good, cells + 1
                if "version" in result and not re.search(r"\d", name):
                    name += " " + result["version"].removeprefix("Chrome/").removeprefix("v")
                print(f"{name}, {what or 'as it is'}, offers {'+'.join(offer)}, page of {page}: {text}", file=sys.stderr)
                if not good:
                    for told in ("words", "offer", "answer"):
                        print(*[f"    {line}" for line in str(result.get(told, "")).splitlines()], sep="\n", file=sys.stderr)
            rows.append([name, what, " and ".join("sound" if kind == "audio" else kind for kind in offer), *row])
    finally:
        for page in pages.values():
            page.close()
    print("| player | how | offers to receive | page of sound | page of video | page of both |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(f"\n{right} of {cells} as they should be")
    sys.exit(right != cells)


main()
