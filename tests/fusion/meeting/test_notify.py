"""The webhook, against a real server on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from extractors.errors import InputError
from fusion.meeting.notify import SIGNATURE, TIMESTAMP, NotifyError, notify

SECRET = "a secret of some length"


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses of `answers`, the last one again and again, and keeps what it got."""

    def __init__(self, answers: list[int]) -> None:
        self.answers, self.got = answers, []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?key=hidden"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        self.send_response(answers[min(len(self.server.got), len(answers)) - 1])
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  # a client that follows a redirect would GET

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[object]:
    running: list[Receiver] = []

    def start(answers: list[int]) -> Receiver:
        server = Receiver(answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_the_message_arrives_with_a_signature_that_the_receiver_can_check(receiver):
    server = receiver([204])
    assert notify(server.url, {"title": "Anrüf", "files": ["report.html"]}, secret=SECRET) == 204
    ((_, headers, body),) = server.got
    expected = hmac.new(SECRET.encode(), headers[TIMESTAMP].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={expected}"
    assert json.loads(body) == {"title": "Anrüf", "files": ["report.html"]}


def test_a_passing_failure_is_tried_again_with_growing_waits(receiver):
    server = receiver([503, 429, 200])
    waits: list[float] = []
    assert notify(server.url, {}, secret=SECRET, wait=0.5, sleep=waits.append) == 200
    assert len(server.got) == 3
    assert waits == [0.5, 1.0]


def test_a_refusal_is_not_tried_again(receiver):
    server = receiver([403])
    with pytest.raises(NotifyError, match="HTTP 403"):
        notify(server.url, {}, secret=SECRET, sleep=lambda seconds: None)
    assert len(server.got) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(receiver, status):
    server = receiver([status])
    with pytest.raises(NotifyError, match="redirect"):
        notify(server.url, {}, secret=SECRET, sleep=lambda seconds: None)
    assert [path for path, _, _ in server.got] == ["/hook?key=hidden"]


def test_nobody_there_ends_after_all_tries_and_tells_no_secret():
    waits: list[float] = []
    with pytest.raises(NotifyError) as failed:
        notify("http://127.0.0.1:9/hook?key=hidden", {}, secret=SECRET, attempts=3, sleep=waits.append)
    assert len(waits) == 2
    assert "hidden" not in str(failed.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "example.org", "http:///x", "https://me:pw@x/y"])
def test_settings_that_cannot_be_are_refused_before_anything_is_sent(url):
    with pytest.raises(InputError) as refused:
        notify(url, {}, secret="short")
    assert len(refused.value.problems) >= 2
    assert "pw" not in str(refused.value)
