"""The annotation page around its canvas: the bar, the timeline, and what their buttons do."""

import warnings
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from nicegui import run, ui

from refiner.annotate.desk.desk import Desk
from refiner.annotate.desk.going_on import how_it_goes
from refiner.web.annotation.as_json import setup_of
from refiner.web.annotation.canvas import HandCanvas, Timeline
from refiner.web.annotation.dialogs import Dialogs
from refiner.web.annotation.hall import Hall
from refiner.web.annotation.keys import KeyTables
from refiner.web.annotation.routes import add_routes
from refiner.web.annotation.seat import Seat
from refiner.web.annotation.solving import Work, Worker

# The bar's buttons: icon, action, tip.
BUTTONS = (
    (
        ("chevron_left", "previous_frame", "frame before"),
        ("chevron_right", "next_frame", "next frame"),
        ("star", "next_reference", "next chosen frame without labels"),
        ("warning_amber", "next_doubt", "next frame in doubt"),
        ("check", "done", "go on; a solved frame is found right"),
    ),
    (("undo", "undo", "undo"), ("redo", "redo", "redo")),
    (
        ("list", "doubts", "list of doubts"),
        ("input", "jump", "go to a frame"),
        ("history", "history", "what was done to this frame"),
    ),
    (
        ("palette", "colours", "next colour map"),
        ("texture", "relief", "shaded relief"),
        ("visibility", "lines", "hide and show lines"),
    ),
)


class Page:
    """One open page."""

    def __init__(self, hall: Hall, setup: dict[str, Any]) -> None:
        """Build the page of a session.

        Args:
            hall: What it shares with other pages.
            setup: See `refiner.web.annotation.as_json.setup_of`.
        """
        self._hall, self._seat, self._frame = hall, Seat(hall.keys, hall.who), 0
        self._colours = list(setup["tables"])
        ui.add_css(Path(__file__).with_name("page.css"))
        ui.dark_mode(True)
        with ui.element("div").classes("bar"):
            self._bar(setup["session"])
        self._canvas = HandCanvas(setup, self._actions(), self._seat.who, self._seat.look)
        self._timeline = Timeline(setup["frames"])
        self._dialogs = Dialogs(hall.desk, self._seat, self._canvas, ui.element("div"))
        self._seat.changed = self._take_seat
        self._canvas.on_moved(self._moved)
        self._canvas.on_act(self._asked)
        self._timeline.on_go(self._canvas.go)
        self.show_progress()
        ui.timer(1.0, self.show_progress)  # the seconds go on where a part of the work cannot tell how far it is

    def _bar(self, name: str) -> None:
        ui.label(name).classes("name")
        for group in BUTTONS:
            for icon, action, tip in group:
                button = ui.button(on_click=lambda _, action=action: self._canvas.act(action))
                with button.props(f'flat dense round icon={icon} aria-label="{tip}"'):
                    ui.tooltip(f"{tip} · {self._seat.key_of(action)}").props("delay=800")
            ui.element("div").classes("gap")
        ui.element("div").classes("grow")
        self._work = ui.label().classes("work")
        self._cancel = ui.button("cancel", on_click=self._hall.worker.cancel).props("flat dense no-caps color=orange")
        self._choose = ui.button("Choose frames", on_click=lambda: self._act("choose")).props("flat dense no-caps")
        self._solve = ui.button("Solve", on_click=lambda: self._act("solve")).props("unelevated dense no-caps")
        ui.element("div").classes("gap")
        self._name = ui.button(self._seat.who, on_click=lambda: self._act("who"))
        self._name.props("flat dense no-caps icon=person")
        ui.button(on_click=lambda: self._act("help")).props('flat dense round icon=keyboard aria-label="keys"')

    def say(self, text: str) -> None:
        """Tell the person something."""
        self._canvas.say(text)

    async def refresh(self) -> None:
        """Show what has changed."""
        self._canvas.refresh()
        self._timeline.refresh()
        await self.tell_how_it_goes()

    async def tell_how_it_goes(self) -> None:
        """Show how much is left, and how fast it goes."""
        self._timeline.tell(await run.io_bound(how_it_goes, self._hall.desk, self._seat.who) or "")

    def show_progress(self) -> None:
        """Show how far the long work is."""
        worker = self._hall.worker
        now = worker.progress
        self._cancel.visible = worker.busy
        self._choose.enabled = self._solve.enabled = not worker.busy
        self._work.text = now.in_words()

    def _actions(self) -> list[dict[str, Any]]:
        return [vars(one) for one in self._seat.table()]

    def _take_seat(self) -> None:
        self._name.text = self._seat.who
        self._canvas.set(who=self._seat.who, actions=self._actions(), look=self._seat.look)

    def _moved(self, frame: int) -> None:
        self._frame = frame
        self._timeline.show(frame)

    async def _asked(self, asked: dict[str, Any]) -> None:
        """Do what the canvas asks for: an action that is not its own, or what the browser remembers of the person."""
        if asked["action"] == "be":
            self._seat.be(str(asked["who"]))
        elif asked["action"] == "look":
            if asked["look"].get("colours") in self._colours:
                self._seat.set_look(colours=asked["look"]["colours"], relief=bool(asked["look"].get("relief")))
        else:
            await self._act(str(asked["action"]), int(asked["frame"]))

    async def _act(self, action: str, frame: int | None = None) -> None:
        look = self._seat.look
        if action in ("choose", "solve"):
            await self._do(action)  # pyright: ignore[reportArgumentType]
        elif action == "colours":
            after = (self._colours.index(look["colours"]) + 1) % len(self._colours)
            self._seat.set_look(colours=self._colours[after])
        elif action == "relief":
            self._seat.set_look(relief=not look["relief"])
        else:
            await self._dialogs.open(action, self._frame if frame is None else frame)

    async def _do(self, work: Work) -> None:
        worker = self._hall.worker
        failed = await worker.run(work)
        if failed is not None:
            self.say(failed)
        elif worker.cancelled:
            self.say("Cancelled. What was finished before is kept.")
        elif work == "choose":
            chosen = await run.io_bound(self._hall.desk.session.chosen) or []
            key = self._seat.key_of("next_reference")
            self.say(f"{len(chosen)} frames are chosen: {key} goes from one to the next.")
        else:
            self.say(f"Solved. {self._seat.key_of('next_doubt')} goes to what is most in doubt.")


def build(desk: Desk, who: str, *, ask_who: bool = False) -> FastAPI:
    """Make the application that serves a session; one process makes one.

    Args:
        desk: The session.
        who: The user of this computer: whose labels they are until somebody gives another name.
        ask_who: Ask each new visitor for a name.
    """
    hall = Hall(desk, KeyTables(), who, Worker(desk.session.path, lambda: hall.show_progress()))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=hall.open)
    add_routes(app, desk, hall.keys, who)

    async def root() -> None:
        setup = await run.io_bound(setup_of, desk)
        if setup is None:  # the server is ending
            return
        page = Page(hall, {**setup, "ask_who": ask_who})
        hall.pages.append(page)
        ui.context.client.on_delete(lambda: hall.pages.remove(page))
        await page.tell_how_it_goes()

    # NiceGUI looks for its server among all objects, and touches one of torch's that says that it is old.
    warnings.filterwarnings("ignore", message="`torch.distributed.reduce_op`", category=FutureWarning)
    ui.run_with(
        app, root=root, title=f"{desk.session.path.resolve().name}: annotation", favicon="✋", dark=True,
        tailwind=False, show_welcome_message=False, reconnect_timeout=5,
    )  # fmt: skip
    return app
