"""What all open pages of a session share: the session, the long work on it, and news of what others do."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from fastapi import FastAPI
from nicegui import run

from refiner.annotate.desk.desk import Desk
from refiner.errors import RefinerError
from refiner.web.annotation.keys import KeyTables
from refiner.web.annotation.solving import Worker

WATCH_S, IDLE_S = 0.4, 2.0
"""How often it is looked for changes by other people and other processes, and after which time without one all labels
are judged together, which takes longer than a person waits."""

Result = TypeVar("Result")


class Visitor(Protocol):
    """A page that is told of changes."""

    async def refresh(self) -> None:
        """Show what has changed."""
        ...

    def show_progress(self) -> None:
        """Show how far the long work is."""
        ...

    def say(self, text: str) -> None:
        """Tell the person something."""
        ...


@dataclass(eq=False)
class Hall:
    """All pages that are open on one session, in however many browsers.

    Attributes:
        desk: The session.
        keys: Of the persons.
        who: The user of this computer.
        worker: Chooses frames and solves.
        pages: That are open.
    """

    desk: Desk
    keys: KeyTables
    who: str
    worker: Worker
    pages: list[Visitor] = field(default_factory=list)

    async def watch(self) -> None:
        """Tell all pages of changes, whoever made them."""
        before, told, changed_at, judged = None, "", 0.0, False
        while True:
            now, anew = before, False
            try:
                now = await run.io_bound(self.desk.state)
                if now != before:
                    changed_at, judged, anew = time.monotonic(), False, True
                elif not judged and time.monotonic() - changed_at > IDLE_S:
                    judged, doubts = True, self.desk.label_doubts()
                    anew = await without_delaying_the_end(self.desk.judge) != doubts
                before, told = now, ""
            except RefinerError as error:  # a map is damaged, a file of the session is being mended by hand, ...
                for page in self.pages if str(error) != told else []:
                    page.say(str(error))
                told = str(error)
            for page in list(self.pages) if anew else []:
                await page.refresh()
            await asyncio.sleep(WATCH_S)

    @asynccontextmanager
    async def open(self, app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG002
        """Watch as long as the server runs."""
        # Compiling takes long the first time; nobody waits for it. What is wrong with a frame is said where it is seen.
        tasks = [asyncio.create_task(one) for one in (self.watch(), without_delaying_the_end(self.desk.warm_up))]
        try:
            yield
        finally:
            self.worker.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def show_progress(self) -> None:
        """Show all pages how far the work is."""
        for page in self.pages:
            page.show_progress()


async def without_delaying_the_end(work: Callable[[], Result]) -> Result:
    """Do slow work in a thread that the end of the process does not wait for.

    Compiling takes a minute on a busy machine, and Ctrl+C should end the server at once. Work that is cut off must
    leave nothing half-written.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Result] = loop.create_future()

    def settle(set_outcome: Callable[..., None], outcome: object) -> None:
        if not result.cancelled():
            set_outcome(outcome)

    def do() -> None:
        try:
            outcome = result.set_result, work()
        except Exception as error:  # raised again where the result is awaited
            outcome = result.set_exception, error
        with suppress(RuntimeError):  # the loop has ended: nobody waits for the result any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=do, daemon=True).start()
    return await result
