"""Where a model is looked for, in which order, and that offline means offline."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from extractors.emotion2vec.resolve import resolve_model
from extractors.errors import InputError

MODEL = "iic/emotion2vec_plus_seed"
COMMIT = "a" * 40  # of every model on the server below


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "EMOFUSE_OFFLINE", "HF_HUB_OFFLINE", "MODELSCOPE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to reach something; each fails."""
    attempts: list[object] = []

    def refuse(*args: object, **kwargs: object) -> None:
        attempts.append(args)
        raise OSError("no network in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return attempts


def put(checkpoint: Path, place: Path) -> Path:
    return Path(shutil.copytree(checkpoint, place))


@pytest.mark.parametrize(
    "layout",
    [
        "models/iic--emotion2vec_plus_seed/snapshots/master",
        "models/iic/emotion2vec_plus_seed",
        "hub/models/iic/emotion2vec_plus_seed",
        "hub/iic/emotion2vec_plus_seed",
        "iic/emotion2vec_plus_seed",
    ],
)
@pytest.mark.parametrize("name", [MODEL, "emotion2vec_plus_seed", "emotion2vec/emotion2vec_plus_seed"])
def test_modelscope_caches(checkpoint: Path, tmp_path: Path, layout: str, name: str, reached: list[object]) -> None:
    place = put(checkpoint, tmp_path / "modelscope" / layout)
    found = resolve_model(name)
    assert (found.path, found.model_id, found.source) == (place, MODEL, "ModelScope cache")
    assert not reached


def test_huggingface_cache_follows_the_branch(checkpoint: Path, tmp_path: Path, reached: list[object]) -> None:
    repository = tmp_path / "huggingface" / "hub" / "models--emotion2vec--emotion2vec_plus_seed"
    put(checkpoint, repository / "snapshots" / "new")
    right = put(checkpoint, repository / "snapshots" / "old")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("old")
    found = resolve_model(MODEL)
    assert (found.path, found.model_id) == (right, "emotion2vec/emotion2vec_plus_seed")
    assert found.source == "Hugging Face cache"
    assert not reached


def test_order(checkpoint: Path, tmp_path: Path) -> None:
    """Local folder, then ModelScope, then Hugging Face; a place without weights is passed over."""
    put(checkpoint, tmp_path / "huggingface" / "hub" / "models--emotion2vec--emotion2vec_plus_seed/snapshots/a")
    assert resolve_model(MODEL, offline=True).source == "Hugging Face cache"
    cached = put(checkpoint, tmp_path / "modelscope" / "models" / MODEL)
    assert resolve_model(MODEL, offline=True).source == "ModelScope cache"
    (cached / "model.pt").unlink()
    assert resolve_model(MODEL, offline=True).source == "Hugging Face cache"
    local = put(checkpoint, tmp_path / MODEL)  # FunASR would ignore it and take the alias
    found = resolve_model(MODEL, offline=True)
    assert (found.path, found.source, found.model_id) == (local, "folder", "emotion2vec_plus_seed")


def test_a_folder_is_made_absolute(checkpoint: Path, tmp_path: Path) -> None:
    local = put(checkpoint, tmp_path / "mine")
    assert resolve_model("./mine").path == resolve_model(Path("mine")).path == local


@pytest.mark.parametrize("variable", [None, "EMOFUSE_OFFLINE", "MODELSCOPE_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_reaches_for_nothing(
    variable: str | None, reached: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(InputError) as error:
        resolve_model(MODEL, offline=None if variable else True)
    assert not reached
    message = str(error.value)
    for place in (
        f"folder {tmp_path / MODEL}: does not exist",
        f"ModelScope cache {tmp_path}/modelscope/models/{MODEL}: does not exist",
        f"Hugging Face cache {tmp_path}/huggingface/hub/models--emotion2vec--emotion2vec_plus_seed",
        "ModelScope: not asked, because this is offline",
        "Hugging Face: not asked, because this is offline",
        f"modelscope download --model {MODEL} --local_dir FOLDER",
    ):
        assert place in message


@pytest.mark.parametrize("name", ["/no/such/folder", "./emotion2vec_plus_large", "~/emotion2vec_plus_large"])
def test_a_path_is_never_asked_of_a_hub(name: str, reached: list[object]) -> None:
    with pytest.raises(InputError, match=r"no Emotion2Vec\+ model at .*\n  - folder /.*: does not exist"):
        resolve_model(name)
    assert not reached


def test_an_incomplete_folder_says_what_is_missing(checkpoint: Path, tmp_path: Path) -> None:
    (put(checkpoint, tmp_path / "mine") / "model.pt").unlink()
    with pytest.raises(InputError, match=r"mine: without model\.pt"):
        resolve_model(tmp_path / "mine")


@contextmanager
def serve_hubs(models: Mapping[str, Path]) -> Iterator[str]:
    """The address of a server on this machine that speaks as much of both hubs' protocols as their clients need.

    models : id -> folder; ids of iic are on ModelScope, others on Hugging Face
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(models))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _handler(models: Mapping[str, Path]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            folder = next((folder for model, folder in models.items() if f"/{model}/" in f"{url.path}/"), None)
            modelscope = url.path.startswith("/api/v1/")
            if folder is None or modelscope != ("/iic/" in url.path):
                return self._send(b"{}", status=404)
            if modelscope and url.path.endswith("/repo/files"):
                files = [_modelscope_entry(path) for path in folder.iterdir()]
                return self._json({"Code": 200, "Success": True, "Data": {"Files": files, "TotalCount": len(files)}})
            if modelscope and "FilePath" in query:
                return self._send((folder / query["FilePath"][0]).read_bytes())
            if "/tree/" in url.path:
                sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
                return self._json([{"type": "file", "path": k, "size": v, "oid": "b" * 40} for k, v in sizes.items()])
            if "/resolve/" in url.path:
                data = (folder / Path(url.path).name).read_bytes()
                return self._send(data, ETag=f'"{hashlib.sha1(data).hexdigest()}"', **{"X-Repo-Commit": COMMIT})
            siblings = [{"rfilename": path.name} for path in folder.iterdir()]
            return self._json({"id": "a/model", "sha": COMMIT, "siblings": siblings})

        do_HEAD = do_GET  # noqa: N815

        def _json(self, content: Any) -> None:
            self._send(json.dumps(content).encode(), **{"Content-Type": "application/json"})

        def _send(self, body: bytes, *, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler


def _modelscope_entry(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"Path": path.name, "Name": path.name, "Type": "blob", "Size": path.stat().st_size, "Sha256": digest}


ASK = """
import sys
from extractors.emotion2vec.resolve import resolve_model
for name in sys.argv[1:]:
    found = resolve_model(name)
    print(found.source, found.model_id, found.path)
"""


def ask(names: list[str], tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    settings = {"MODELSCOPE_CACHE": str(tmp_path / "modelscope"), "HF_HOME": str(tmp_path / "huggingface")}
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-c", ASK, *names],
        env={**os.environ, **settings, **quiet, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.slow
def test_downloads_by_the_hubs_own_clients(checkpoint: Path, tmp_path: Path) -> None:
    """Against a server on this machine that speaks both hubs' protocols and has the second model on one of them only."""
    with serve_hubs({"iic/emotion2vec_plus_seed": checkpoint, "emotion2vec/emotion2vec_plus_base": checkpoint}) as url:
        done = ask(
            ["emotion2vec_plus_seed", "emotion2vec_plus_base", "emotion2vec_plus_base"],
            tmp_path,
            MODELSCOPE_ENDPOINT=url,
            HF_ENDPOINT=url,
        )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"ModelScope iic/emotion2vec_plus_seed {tmp_path}/modelscope/")
    assert second.startswith(f"Hugging Face emotion2vec/emotion2vec_plus_base {tmp_path}/huggingface/")
    assert third == second.replace("Hugging Face ", "Hugging Face cache ", 1)
    for line in (first, second):
        folder = Path(line.rpartition(" ")[2])
        assert (folder / "model.pt").read_bytes() == (checkpoint / "model.pt").read_bytes()


@pytest.mark.slow
def test_unreachable_hubs_fail_soon_and_say_so(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"  # the discard port, closed
    done = ask(["emotion2vec_plus_seed"], tmp_path, MODELSCOPE_ENDPOINT=nobody, HF_ENDPOINT=nobody)
    assert done.returncode == 1
    assert "ModelScope: cannot be reached: [Errno 111] Connection refused" in done.stderr
    assert "Hugging Face: cannot be reached: [Errno 111] Connection refused" in done.stderr
