"""A small Hugging Face Hub on loopback: what huggingface_hub asks for when it downloads a model."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40


class SmallHub:
    """Serves the folders in `models` ("org/name" → folder) until it is closed. `gated` ids refuse their files;
    `breaks` is after how many bytes of a file the connection is cut, and `damages` which files come
    with a wrong byte, once for each file in them."""

    def __init__(self, models: dict[str, Path]):
        self.models, self.gated, self.breaks, self.damages = models, set(), {}, set()
        self.asked: list[tuple[str, str, str]] = []
        """(method, path, Range) of every request."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.answer(self, with_body=True)

            def do_HEAD(self):
                hub.answer(self, with_body=False)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who cancels a download hangs up
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request, with_body):
        path = request.path.partition("?")[0].strip("/")
        self.asked.append((request.command, path, request.headers.get("Range", "")))
        parts = path.split("/")
        if parts[:2] == ["api", "models"]:
            return self.about(request, "/".join(parts[2:4]))
        hub_id, name = "/".join(parts[:2]), "/".join(parts[4:])
        if hub_id in self.gated:
            return self.send(request, 403, b"", {"X-Error-Code": "GatedRepo"})
        if hub_id not in self.models or not (self.models[hub_id] / name).is_file():
            return self.send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
        content = (self.models[hub_id] / name).read_bytes()
        headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Accept-Ranges": "bytes",
        }
        if not with_body:
            return self.send(request, 200, b"", headers | {"Content-Length": str(len(content))})
        wanted = request.headers.get("Range", "").removeprefix("bytes=").partition("-")[0]
        start = int(wanted) if wanted else 0
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if name in self.damages:
            self.damages.remove(name)
            content = b"!" + content[1:]
        return self.send(request, 206 if start else 200, content[start:], headers, self.breaks.pop(name, None))

    def about(self, request, hub_id):
        if hub_id not in self.models:
            return self.send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})
        files = [path for path in sorted(self.models[hub_id].rglob("*")) if path.is_file()]
        siblings = [
            {"rfilename": path.relative_to(self.models[hub_id]).as_posix(), "size": path.stat().st_size}
            for path in files
        ]
        about = {"_id": "1", "id": hub_id, "modelId": hub_id, "sha": COMMIT, "private": False, "gated": False}
        body = json.dumps(about | {"tags": [], "downloads": 0, "siblings": siblings}).encode()
        return self.send(request, 200, body, {"Content-Type": "application/json"})

    def send(self, request, status, body, headers, cut=None):
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "HEAD":
            return
        request.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            request.wfile.flush()
            request.close_connection = True
