"""A real browser: Debian's Chromium without a window, driven by pointer and key events alone.

The benchmark of the annotation page uses it, and the tests.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
HELD = {"left": 1, "right": 2, "middle": 4}
INSTALLED = bool(CHROMIUM and DRIVER)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip


def require_browser() -> None:
    """Refuse to go on without a browser.

    Raises:
        SystemExit: There is none; the status is 2.
    """
    if not INSTALLED:
        print("Found no chromium with chromedriver, wanted both. Install them (Debian: chromium chromium-driver).")
        raise SystemExit(2)


@contextmanager
def serving(session: Path, *words: str, settings: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a session in a process of its own; the process and the page's address.

    Args:
        session: The session.
        words: More options of `refiner annotate serve`.
        settings: The folder in which the user keeps settings.
        port: 0 = any that is free.
    """
    command = [sys.executable, "-c", "from refiner.cli.main import run; run()", "annotate", "serve", str(session)]
    command += ["--port", str(port), "--who", "anna", *words]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(settings)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            finally:
                process.kill()  # leaving `Popen` waits for its end without a limit


@contextmanager
def open_browser(profile: Path, size: tuple[int, int] = (1280, 720)) -> Iterator[Any]:
    """Start a browser with a user-data folder of its own, and end it."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or "chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER or "chromedriver"))
    try:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
        )
        yield driver
    finally:
        driver.quit()


class Person:
    """A person at the annotation page: looks at the canvas, clicks, drags and presses keys."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver = driver
        driver.get(url)
        self.wait(lambda: self.canvas.get_attribute("data-frame") is not None, "the canvas")

    @property
    def canvas(self) -> Any:
        """The canvas with the map."""
        return self.driver.find_element("css selector", "canvas.main-canvas")

    def data(self, name: str) -> Any:
        """Return what the canvas says of itself."""
        return self.canvas.get_attribute(f"data-{name}")

    @property
    def frame(self) -> int:
        """The frame that is shown."""
        return int(self.data("frame"))

    @property
    def next_joint(self) -> str:
        """The joint that the next click places; empty where all have their places."""
        return self.data("next-joint")

    @property
    def joints(self) -> dict[str, list[float]]:
        """The joints that have a place: name -> u, v, flag."""
        return json.loads(self.data("joints"))

    @property
    def saved(self) -> int:
        """Number of the last committed edit."""
        return int(self.data("saved"))

    def place(self, u: float, v: float) -> tuple[float, float]:
        """Return where a pixel of the crop is on the screen."""
        view, box = json.loads(self.data("view")), self.canvas.rect
        return box["x"] + view["x"] + view["scale"] * u, box["y"] + view["y"] + view["scale"] * v

    def pointer(self, kind: str, at: tuple[float, float], button: str = "left", held: int = 0) -> None:
        """Send one event of the pointer, at a place of the screen."""
        event = {"type": kind, "x": at[0], "y": at[1], "button": button, "buttons": held, "clickCount": 1}
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def click(self, u: float, v: float, button: str = "left") -> None:
        """Click at a pixel of the crop."""
        at = self.place(u, v)
        self.pointer("mouseMoved", at, "none")
        self.pointer("mousePressed", at, button, HELD[button])
        self.pointer("mouseReleased", at, button)

    def drag(self, start: Sequence[float], end: Sequence[float], steps: int = 8) -> None:
        """Drag from one pixel of the crop to another."""
        (x, y), (to_x, to_y) = self.place(start[0], start[1]), self.place(end[0], end[1])
        self.pointer("mouseMoved", (x, y), "none")
        self.pointer("mousePressed", (x, y), "left", HELD["left"])
        for step in range(1, steps + 1):
            share = step / steps
            self.pointer("mouseMoved", (x + share * (to_x - x), y + share * (to_y - y)), "left", HELD["left"])
        self.pointer("mouseReleased", (to_x, to_y), "left")

    def key(self, *keys: str) -> None:
        """Press a key, while those before it are held."""
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.driver)
        *held, last = keys
        for one in held:
            chain.key_down(one)
        chain.send_keys(last)
        for one in reversed(held):
            chain.key_up(one)
        chain.perform()

    def wait(self, true: Callable[[], object], what: str, seconds: float = 180) -> None:
        """Wait until something is true."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                if true():
                    return
            except Exception as error:  # the element is being replaced
                last = error
            else:
                last = None
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s for {what}; {last!r}")

    def saving(self, act: Callable[[], object], what: str) -> None:
        """Do something, and wait until it is committed."""
        before = self.saved
        act()
        self.wait(lambda: self.saved > before, f"{what} to be committed")

    def reloaded(self) -> None:
        """Wait until the page has loaded itself again."""
        from selenium.common.exceptions import StaleElementReferenceException

        before = self.canvas

        def gone() -> bool:
            try:
                before.is_enabled()
            except StaleElementReferenceException:
                return self.data("frame") is not None
            return False

        self.wait(gone, "the page to come back", 30)
