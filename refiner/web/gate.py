"""Who may talk to a page: an ASGI layer before everything else, for HTTP and WebSocket alike.

Another site that a person has open can send requests to this computer, and can make its own name resolve to it (DNS
rebinding). Such requests carry that site's name as `Host` or `Origin`. On the loopback address only the names of this
computer are taken as `Host`; an `Origin` must always be the host itself. Pictures and scripts that another site wants
carry no `Origin`, but browsers say so in `Sec-Fetch-Site`. Anywhere else a token is needed, too: the address that the
command prints holds it, and the first visit turns it into a cookie that scripts cannot read. Cookies do not tell ports
apart: other servers of the same host that the person visits see it.
"""

import hmac
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# A name of another site never looks like these, and numbers cannot be made to lead elsewhere.
_THIS_COMPUTER = re.compile(r"(127(\.[0-9]{1,3}){3}|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)

# Nothing is loaded from elsewhere, and no other page may show this one in a frame. Vue compiles templates by `eval`.
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this computer alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def new_token() -> str:
    """Return a token that cannot be guessed."""
    return secrets.token_urlsafe(24)


class Gate:
    """Lets requests of the page's own through, and answers all others itself.

    Attributes:
        app: What lies behind.
    """

    def __init__(self, app: App, port: int, token: str | None) -> None:
        """Set up the gate.

        Args:
            app: What lies behind.
            port: Of the server: cookies do not tell ports of one host apart.
            token: What a visitor must know; without one, `Host` must be a name of this computer.
        """
        self.app, self._token, self._cookie = app, token, f"refiner_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if why := self._foreign(scope):
            await _refuse(scope, receive, send, 403, why)
        elif self._token is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "http" and scope["method"] == "GET" and self._knows(dict(query).get("token", "")):
            # Also where the cookie is there: the token leaves the address bar, the history and the title of bookmarks.
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            place = "/" + quote(scope["path"], safe="/").lstrip("/") + (f"?{rest}" if rest else "")
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=strict"
            await _answer(send, 303, "", {"location": place, "set-cookie": cookie})
        elif any(self._knows(value) for value in self._of_cookies(scope)):
            await self.app(scope, receive, _with_headers(send))
        else:
            await _refuse(
                scope, receive, send, 401, "This page needs its token. Open the whole address that the command printed."
            )

    def _foreign(self, scope: Scope) -> str | None:
        """Return why a request is not one of the page's own; nothing where it is."""
        hosts = _values(scope, "host")
        host = hosts[0].lower() if len(hosts) == 1 else ""
        if not host or (self._token is None and not _THIS_COMPUTER.fullmatch(host)):
            return f"Found the host {host[:80]!r}, wanted 127.0.0.1 or localhost. Open the address that was printed."
        for origin in _values(scope, "origin"):
            if origin.lower() not in (f"http://{host}", f"https://{host}"):
                return f"Found a request of the page {origin[:80]!r}, wanted one of this page's own."
        asks_for_page = _values(scope, "sec-fetch-mode") == ["navigate"]
        if not asks_for_page and {"cross-site", "same-site"}.intersection(_values(scope, "sec-fetch-site")):
            return "Found a request of another page, wanted one of this page's own."
        return None

    def _of_cookies(self, scope: Scope) -> list[str]:
        # By hand: the standard library's reader gives up on all at the first odd one, and others may share the host.
        pairs = [part.strip().partition("=") for line in _values(scope, "cookie") for part in line.split(";")]
        return [value for name, _, value in pairs if name == self._cookie]

    def _knows(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _values(scope: Scope, wanted: str) -> list[str]:
    """Return what a header says, each time that it comes."""
    return [value.decode("latin-1") for name, value in scope["headers"] if name.decode("latin-1").lower() == wanted]


def _with_headers(send: Send) -> Send:
    async def send_with(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message.get("headers", [])}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return send_with


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect; a close before it is accepted is answered with 403
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
    else:
        await _answer(send, status, why, {})


async def _answer(send: Send, status: int, text: str, headers: dict[str, str]) -> None:
    body = text.encode()
    lines = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), "cache-control": "no-store"}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in {**lines, **HEADERS, **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
