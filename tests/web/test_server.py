"""The port, the address that is printed, and the end of the server."""

import http.client
import importlib.util
import re
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from urllib.request import urlopen

import pytest
from fastapi import FastAPI, WebSocket
from killing import started

from refiner.errors import MissingPackageError, UsageError
from refiner.web.server import PageServer

WAIT_S = 60


async def greet(websocket: WebSocket):
    await websocket.accept()
    await websocket.close()


def make_app():
    app = FastAPI(openapi_url=None)
    app.get("/")(lambda: "hello")
    app.websocket("/ws")(greet)
    return app


def get(server, path="/", **headers):
    """Give the status, the headers and the body of a reply."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    try:
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


class Running:
    """A server in a thread, from the moment when its page can be opened."""

    def __init__(self, host="127.0.0.1", **options):
        self.server = PageServer(host)
        ready = threading.Event()
        run = threading.Thread(target=self.server.run, args=(make_app(), ready.set), kwargs=options, daemon=True)
        self._thread = run
        run.start()
        assert ready.wait(WAIT_S)

    def __enter__(self):
        return self.server

    def __exit__(self, *_):
        self.server.stop()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def test_a_page_from_the_first_visit_to_the_end():
    with Running() as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.url)
        status, headers, body = get(server)
        assert (status, body) == (200, b'"hello"')
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        assert get(server, Host="evil.example")[0] == 403
    with pytest.raises(ConnectionRefusedError):
        get(server)
    with PageServer(port=server.port) as again:  # the port is free at once
        assert again.port == server.port


def test_beyond_this_computer_the_address_has_a_token():
    with Running("0.0.0.0") as server:
        address, query = server.url.split("?")
        assert address == f"http://{socket.gethostname()}:{server.port}/"
        assert re.fullmatch(r"token=[\w-]{32,}", query)
        assert get(server)[0] == 401
        status, headers, _ = get(server, f"/?{query}")
        assert (status, headers["location"]) == (303, "/")
        assert get(server, Cookie=headers["set-cookie"].split(";")[0])[0] == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_the_printed_address_of_this_computer_is_open(host):
    with Running(host) as server, urlopen(server.url, timeout=WAIT_S) as reply:
        assert reply.read() == b'"hello"'


def test_a_websocket_of_another_page_is_not_accepted():
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", **key}
    with Running() as server:
        for origin, status in (("http://evil.example", 403), ("null", 403), (server.url.rstrip("/"), 101)):
            assert get(server, "/ws", Origin=origin, **upgrade)[0] == status


def test_a_taken_port_is_refused():
    with (
        PageServer() as first,
        pytest.raises(UsageError, match=rf"--port {first.port}, wanted a free one on 127.0.0.1"),
    ):
        PageServer(port=first.port)


@pytest.mark.parametrize("port", [-1, 65536, 70000, 2**70])
def test_a_port_that_cannot_be_is_refused(port):
    with pytest.raises(UsageError, match=f"--port {port}"):
        PageServer(port=port)


@pytest.mark.parametrize("host", ["", "a" * 70, "192.0.2.1"])
def test_an_address_of_no_computer_or_another_one_is_refused(host):
    with pytest.raises(UsageError, match=f"Found the address '{host}', wanted one of this computer"):
        PageServer(host)


def test_a_stop_before_the_start_is_not_lost():
    server = PageServer()
    server.stop()
    said = []
    server.run(make_app(), lambda: said.append("ready"))
    assert said == ["ready"]


def test_what_fails_when_it_is_ready_ends_it():
    def fail():
        raise BrokenPipeError

    server = PageServer()
    with pytest.raises(BrokenPipeError):
        server.run(make_app(), fail)
    with PageServer(port=server.port):
        pass


def test_the_browser_is_opened_and_is_not_waited_for(monkeypatch):
    opened, closed = [], threading.Event()
    monkeypatch.setattr(webbrowser, "open", lambda url: (opened.append(url), closed.wait(WAIT_S)))
    with Running(open_browser=True) as server:
        assert get(server)[0] == 200
    assert opened == [server.url]
    closed.set()


@pytest.mark.parametrize("missing", ["nicegui", "fastapi", "uvicorn"])
def test_a_missing_package_is_named_with_the_command_that_brings_it(missing, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("refiner.web.server.find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(MissingPackageError, match=rf"needs {missing}, .*pip install 'depth-refiner\[page\]'"):
        PageServer()


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_ends_it(sent, status):
    script = (
        "from fastapi import FastAPI\nfrom refiner.web.server import PageServer\n"
        "PageServer().run(FastAPI(), lambda: print('ready', flush=True))\nprint('ended')"
    )
    command = [sys.executable, "-c", script]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, err) == (status, "")
    assert out == ("ended\n" if status == 0 else "")


def test_an_interrupt_does_not_wait_for_what_is_being_computed():
    script = (
        "import sys, time\nfrom fastapi import FastAPI\nimport refiner.web.server as server\n"
        "server.LONGEST_END_S = 1.0\napp, made = FastAPI(), server.PageServer()\n"
        "app.get('/')(lambda: (print('asked', file=sys.stderr, flush=True), time.sleep(600)))\n"
        "made.run(app, lambda: print(made.url, flush=True))"
    )
    command = [sys.executable, "-c", script]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().split("/")[2]
        connection = http.client.HTTPConnection(address, timeout=WAIT_S)
        connection.request("GET", "/")
        assert process.stderr.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        process.wait(WAIT_S)
        connection.close()
    assert process.returncode == 0
