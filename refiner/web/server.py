"""The one server of all pages: a port, the gate before it, and a clean end."""

import errno
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from refiner.errors import MissingPackageError, UsageError
from refiner.web.gate import Gate, is_loopback, new_token

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOPBACK = "127.0.0.1"
LONGEST_END_S = 10.0
"""After a signal; the server itself takes 2 to end connections in good order."""
_PACKAGES = ("nicegui", "fastapi", "uvicorn")


def require_packages() -> None:
    """Check that the packages of the pages are installed.

    Raises:
        MissingPackageError: One is not; the message names the command that brings it.
    """
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise MissingPackageError(
            f"The page needs {', '.join(missing)}, which is not installed here. Run `{sys.executable} -m pip install "
            "'depth-refiner[page]'`; in a checkout `pip install -e '.[page]'`."
        )


class PageServer:
    """A port of this computer, and the pages that are served there.

    Attributes:
        port: Where it listens.
        url: The address of the first page, with the token where one is needed.
    """

    def __init__(self, host: str = LOOPBACK, port: int = 0) -> None:
        """Take the port; nobody is answered before `run`.

        Args:
            host: Address to listen on. Beyond loopback visitors need a token, which is part of `url`.
            port: 0 = any that is free.

        Raises:
            MissingPackageError: The packages of the pages are not installed.
            UsageError: The address or the port is not available.
        """
        require_packages()
        self._socket = _listen(LOOPBACK if host == "localhost" else host, port)
        address: str = self._socket.getsockname()[0]
        self.port: int = self._socket.getsockname()[1]
        self._token = None if is_loopback(address) else new_token()
        if self._token is None:
            host = address  # another name of it would not pass the gate
        elif ipaddress.ip_address(address).is_unspecified:
            host = socket.gethostname()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/" + ("" if self._token is None else f"?token={quote(self._token)}")
        self._server, self._is_over = None, False

    def run(self, app: "FastAPI", ready: Callable[[], object], *, open_browser: bool = False) -> None:
        """Serve until `stop`, an interrupt or a signal to end.

        A signal ends the process after `LONGEST_END_S` at last, whatever is still being computed for a page: threads
        cannot be interrupted, and would delay the end. So what is to last must be written at once.

        Args:
            app: What is served.
            ready: Is called when the page can be opened; what it raises ends the server, and is raised again then.
            open_browser: Open it in the person's browser then.
        """
        import uvicorn

        url, failures = self.url, []

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                super().handle_exit(sig, frame)
                threading.Thread(target=_end_at_last, args=(sig,), daemon=True).start()

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                try:
                    ready()
                except Exception as error:  # raised from here it would leave the port open and the process hanging
                    failures.append(error)
                    self.should_exit = True
                    return
                if open_browser:  # in a thread: one of a terminal lasts until it is closed
                    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

        config = uvicorn.Config(
            Gate(app, self.port, self._token), log_level="warning", access_log=False, server_header=False,
            proxy_headers=False, timeout_graceful_shutdown=2, ws_max_size=1 << 20,
        )  # fmt: skip
        self._server = Server(config)
        if self._is_over:
            self.stop()
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:  # uvicorn ends in good order first, then raises it again
            pass
        finally:
            self.close()
        if failures:
            raise failures[0]

    def stop(self) -> None:
        """End the server after the answers that are under way; may be called from any thread, and before `run`."""
        self._is_over = True
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Release the port; `run` does so at its end."""
        self._socket.close()

    def __enter__(self) -> Self:
        """Return the server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the port."""
        self.close()


def _listen(host: str, port: int) -> socket.socket:
    foreign = f"Found the address {host!r}, wanted one of this computer"
    try:
        # Without the port: one that is too large would come back as another.
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{foreign} ({error}).") from None
    family, kind, protocol, _, (address, _, *more) = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port, *more))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(f"{foreign} ({error}).") from None
        raise UsageError(
            f"Found --port {port}, wanted a free one on {host} ({error}). Give another, or 0 for any."
        ) from None
    return listener


def _end_at_last(sig: int) -> None:
    time.sleep(LONGEST_END_S)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if sig == signal.SIGINT else 128 + sig)
