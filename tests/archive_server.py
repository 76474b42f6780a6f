"""A web server on 127.0.0.1 that misbehaves as told, and small archives for it to serve."""

from __future__ import annotations

import hashlib
import io
import random
import re
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ArchiveServer:
    """Serves `files` (path -> bytes); `log` has one dictionary for each request.

    `cuts` holds, for the requests to come, after how many bytes the connection is cut (None: not at all);
    `statuses` holds the error codes to answer with before anything else.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etag: str | None = '"one"'
        self.last_modified: str | None = None
        self.cuts: list[int | None] = []
        self.statuses: list[int] = []
        self.knows_ranges = True
        self.knows_if_range = True
        self.states_length = True
        self.content_type = "application/octet-stream"
        self.block_bytes, self.pause_sec = 1 << 16, 0.0
        self.log: list[dict] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler_for(server: ArchiveServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            entry = {
                "path": self.path, "range": self.headers.get("Range"),
                "if_range": self.headers.get("If-Range"), "status": None, "sent": 0,
            }  # fmt: skip
            server.log.append(entry)
            content = server.files.get(self.path.lstrip("/"))
            if server.statuses or content is None:
                entry["status"] = server.statuses.pop(0) if server.statuses else 404
                self.send_error(entry["status"])
                return
            start = self._start(content)
            if start > 0 and start >= len(content):
                entry["status"] = 416
                self.send_error(416)
                return
            entry["status"] = 206 if start else 200
            self.send_response(entry["status"])
            self.send_header("Content-Type", server.content_type)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if server.states_length:
                self.send_header("Content-Length", str(len(content) - start))
            if server.etag:
                self.send_header("ETag", server.etag)
            if server.last_modified:
                self.send_header("Last-Modified", server.last_modified)
            self.end_headers()
            cut = server.cuts.pop(0) if server.cuts else None
            body = content[start:][:cut]
            for place in range(0, len(body), server.block_bytes):
                block = body[place : place + server.block_bytes]
                entry["sent"] += len(block)  # before the client can have it, and look
                try:
                    self.wfile.write(block)
                except OSError:
                    entry["sent"] -= len(block)
                    return
                time.sleep(server.pause_sec)
            self.close_connection = True

        def _start(self, content: bytes) -> int:
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if match is None or not server.knows_ranges:
                return 0
            if_range = self.headers.get("If-Range")
            is_same = if_range is None or if_range in (server.etag, server.last_modified)
            return int(match[1]) if is_same or not server.knows_if_range else 0

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def noise(size_bytes: int, *, seed: int = 0) -> bytes:
    """Return bytes that no compressor shrinks."""
    return random.Random(seed).randbytes(size_bytes)


def tar_of(members: dict[str, bytes] | list[tarfile.TarInfo], *, compression: str = "bz2") -> bytes:
    """Return a tar of these files, or of these empty members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as tar:
        if isinstance(members, list):
            for member in members:
                tar.addfile(member, io.BytesIO(b"\0" * member.size))
        else:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    """Return a zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def lj_files(clips: int = 3, *, clip_bytes: int = 100_000) -> dict[str, bytes]:
    """Return the files of a corpus in the layout of LJ Speech; its recordings are noise."""
    names = [f"LJ001-{number:04}" for number in range(1, clips + 1)]
    metadata = "".join(f"{name}|Sentence {name}.|Sentence {name}.\n" for name in names)
    sounds = {f"wavs/{name}.wav": noise(clip_bytes, seed=place) for place, name in enumerate(names)}
    files = {"metadata.csv": metadata.encode(), **sounds}
    return {f"LJSpeech-1.1/{name}": content for name, content in files.items()}


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"
