"""Who gets through the gate, asked as a browser, a foreign page or a stranger would ask."""

import asyncio
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from refiner.web.gate import HEADERS, Gate, is_loopback, new_token

PORT, HOST, TOKEN = 8123, "127.0.0.1:8123", "secret_-token"
COOKIE = f"refiner_{PORT}={TOKEN}"
TUNNEL = "desk.example:443"


async def page(scope, receive, send):
    """What lies behind: greets a request, accepts a WebSocket."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    own = [(b"content-security-policy", b"default-src 'none'")] if scope["path"] == "/strict" else []
    await send({"type": "http.response.start", "status": 200, "headers": own})
    await send({"type": "http.response.body", "body": b"through"})


def ask(path="/", *, host=HOST, token=None, method="GET", **headers):
    """Give the reply to one request; names of headers are written with underscores."""
    gate = Gate(page, PORT, token)

    async def once():
        transport = httpx.ASGITransport(gate)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, headers={"host": host, **named})

    return asyncio.run(once())


def connect(*, host=HOST, token=None, query=b"", **headers):
    """Give the messages that answer a WebSocket."""
    lines = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in headers.items())]
    scope = {"type": "websocket", "path": "/ws", "query_string": query, "headers": lines}
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(Gate(page, PORT, token)(scope, receive, send))
    return [message["type"] for message in sent]


OWN_NAMES = ["127.0.0.1:8123", "localhost:8123", "LocalHost:8123", "[::1]:8123", "127.0.0.1", "127.0.0.2:8123"]
TUNNELLED = ["localhost:9000", "127.0.0.1:1", "LOCALHOST:65535"]
FOREIGN_NAMES = [
    "evil.example", "evil.example:8123", "127.0.0.1.evil.example", "127.0.0.1.evil.example:8123", "xlocalhost",
    "localhost.evil.example", "localhost:8123.evil.example", "evil.example:127.0.0.1", "127.0.0.1@evil.example",
    "evil@127.0.0.1", "127.0.0.1:8123x", "127x0y0z1", "192.168.0.1:8123", "0.0.0.0:8123", "[::2]:8123",
    "localhost,evil.example", "127.0.0.1:", " ",
]  # fmt: skip


@pytest.mark.parametrize("host", OWN_NAMES + TUNNELLED)
def test_names_of_this_computer_pass_with_any_port(host):
    assert ask(host=host).text == "through"
    assert ask(host=host, method="POST", origin=f"http://{host.lower()}").text == "through"
    assert connect(host=host, origin=f"http://{host.lower()}") == ["websocket.accept"]


@pytest.mark.parametrize("host", FOREIGN_NAMES)
def test_other_names_are_refused(host):
    reply = ask(host=host)
    assert reply.status_code == 403
    assert "through" not in reply.text
    # A name that was made to lead here is its page's own origin.
    assert ask(host=host, origin=f"http://{host}").status_code == 403
    assert connect(host=host, origin=f"http://{host}") == ["websocket.close"]


def test_no_host_and_two_hosts_are_refused():
    async def answered(gate, hosts):
        sent = []

        async def send(message):
            sent.append(message)

        lines = [*((b"host", host) for host in hosts), (b"cookie", COOKIE.encode())]
        await gate({"type": "http", "method": "GET", "path": "/", "headers": lines}, None, send)
        return sent[0]["status"]

    for token in (None, TOKEN):
        gate = Gate(page, PORT, token)
        assert asyncio.run(answered(gate, [HOST.encode()])) == 200
        for hosts in ([], [b""], [HOST.encode(), b"evil.example"], [HOST.encode(), HOST.encode()]):
            assert asyncio.run(answered(gate, hosts)) == 403


FOREIGN_ORIGINS = [
    "http://evil.example", "null", "", "file://", f"ftp://{HOST}", "http://127.0.0.1:9999", "http://localhost:8123",
    f"http://{HOST}.evil.example", f"http://{HOST}@evil.example", f"http://evil.example/{HOST}", "http://[::1", HOST,
    f"http://{HOST}/", f"http://{HOST} http://evil.example",
]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_requests_of_other_pages_are_refused_even_with_the_cookie(origin):
    for token in (None, TOKEN):
        for method in ("GET", "POST"):
            assert ask(method=method, token=token, origin=origin, cookie=COOKIE).status_code == 403
        assert connect(token=token, origin=origin, cookie=COOKIE) == ["websocket.close"]
    assert ask(f"/?token={TOKEN}", token=TOKEN, origin=origin).status_code == 403


def test_the_page_itself_and_what_it_asks_for_pass():
    for origin in (f"http://{HOST}", f"HTTP://{HOST}"):
        assert ask(method="POST", origin=origin).text == "through"
    assert ask(method="POST", token=TOKEN, host=TUNNEL, origin=f"https://{TUNNEL}", cookie=COOKIE).text == "through"
    assert connect(token=TOKEN, host=TUNNEL, origin=f"https://{TUNNEL}", cookie=COOKIE) == ["websocket.accept"]


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
        ("cross-site", "navigate", 200),  # a link that was followed
        ("cross-site", "no-cors", 403),  # a picture, a script
        ("same-site", "no-cors", 403),
        ("cross-site", "cors", 403),
    ],
)
def test_what_browsers_say_of_other_pages_is_heard(site, mode, status):
    assert ask(sec_fetch_site=site, sec_fetch_mode=mode).status_code == status


def test_a_token_becomes_a_cookie_and_leaves_the_address():
    assert ask(token=TOKEN).status_code == 401
    reply = ask(f"/frames/a%20b?token={TOKEN}&frame=7&frame=8&note=%C3%A4+%26&empty=", token=TOKEN)
    assert reply.status_code == 303
    assert reply.headers["location"] == "/frames/a%20b?frame=7&frame=8&note=%C3%A4+%26&empty="
    assert reply.headers["set-cookie"] == f"{COOKIE}; Path=/; HttpOnly; SameSite=strict"
    assert reply.headers["cache-control"] == "no-store"
    assert ask(f"/?token={TOKEN}", token=TOKEN).headers["location"] == "/"
    # A second visit by the printed address, too.
    assert ask(f"/?token={TOKEN}", token=TOKEN, cookie=COOKIE).headers["location"] == "/"


def test_only_the_cookie_of_this_server_opens():
    for cookie in (COOKIE, f"other=1; {COOKIE}", f'a[b]="{{x"; {COOKIE}', f"refiner_{PORT}=old; {COOKIE}"):
        assert ask(token=TOKEN, cookie=cookie).text == "through"
    for cookie in (
        "",
        f"refiner_{PORT}=",
        f"refiner_{PORT}={TOKEN}x",
        f"refiner_9999={TOKEN}",
        f"x{COOKIE}",
        "\xe4\xf6",
    ):
        assert ask(token=TOKEN, cookie=cookie.encode("latin-1")).status_code == 401
    for query in ("token=", "token=wrong", "token=%FF", f"Token={TOKEN}", f"token={TOKEN}x"):
        assert ask(f"/?{query}", token=TOKEN).status_code == 401
    for method in ("POST", "HEAD", "PUT"):
        assert ask(f"/?token={TOKEN}", token=TOKEN, method=method).status_code == 401


def test_a_websocket_needs_the_cookie():
    own = {"token": TOKEN, "origin": f"http://{HOST}"}
    assert connect(**own, cookie=COOKIE) == ["websocket.accept"]
    assert connect(**own) == ["websocket.close"]
    assert connect(**own, cookie=f"refiner_{PORT}=wrong") == ["websocket.close"]
    assert connect(**own, query=f"token={TOKEN}".encode()) == ["websocket.close"]
    assert connect(origin=f"http://{HOST}") == ["websocket.accept"]  # on this computer alone


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "///evil.example/a", "/\\evil.example", "/%5Cevil.example", "/.//evil.example",
     "/%2F/evil.example", "/%0D%0ASet-Cookie:a=b", "/http://evil.example", "/@evil.example", "/?next=//evil.example"],
)  # fmt: skip
def test_the_way_on_leads_to_no_other_host(path):
    reply = ask(f"http://{HOST}{path}{'&' if '?' in path else '?'}token={TOKEN}", token=TOKEN)
    assert reply.status_code == 303
    assert urlsplit(urljoin(f"http://{HOST}/", reply.headers["location"])).netloc == HOST
    assert not reply.headers["location"].startswith(("//", "/\\"))
    assert reply.headers.get_list("set-cookie") == [f"{COOKIE}; Path=/; HttpOnly; SameSite=strict"]


def test_every_reply_has_the_headers_and_the_page_may_be_stricter():
    replies = [ask(), ask(host="evil.example"), ask(token=TOKEN), ask(f"/?token={TOKEN}", token=TOKEN)]
    assert [reply.status_code for reply in replies] == [200, 403, 401, 303]
    for reply in replies:
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    strict = ask("/strict")
    assert strict.headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert strict.headers["x-content-type-options"] == "nosniff"


def test_what_is_no_request_passes():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(Gate(app, PORT, TOKEN)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]


def test_which_addresses_are_this_computers_alone():
    assert all(map(is_loopback, ["127.0.0.1", "127.8.9.1", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.0.1", "evil.example", "127.0.0.1.evil.example", ""]))


def test_tokens_differ_and_need_no_quotes():
    tokens = {new_token() for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 32 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)
