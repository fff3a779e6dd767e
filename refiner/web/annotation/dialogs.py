"""Dialogs of the annotation page: frames by number, doubts, history, names."""

from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

from nicegui import run, ui

from refiner.annotate.desk.desk import Desk
from refiner.errors import RefinerError
from refiner.web.annotation.canvas import HandCanvas
from refiner.web.annotation.key_dialog import open_keys
from refiner.web.annotation.seat import Seat

LISTED = 500
"""Joints in doubt that are listed, at most: the others come when these are done."""

PAGE = 12
"""Rows of a table that are shown at once."""


class Dialogs:
    """The dialogs of one page, made when they are wanted."""

    def __init__(self, desk: Desk, seat: Seat, canvas: HandCanvas, place: ui.element) -> None:
        """Take what the dialogs tell of, and an element of the page that holds them."""
        self._desk, self._seat, self._canvas, self._place = desk, seat, canvas, place

    async def open(self, action: str, frame: int) -> None:
        """Open the dialog of an action; none has two."""
        if action == "doubts":
            rows = await run.io_bound(doubt_rows, self._desk)
        elif action == "history":
            rows = await run.io_bound(history_rows, self._desk, frame)
        else:
            rows = []
        with self._place:
            if action == "help":
                open_keys(self._seat)
            elif action == "jump":
                self._number("Go to frame", self._canvas.go)
            elif action == "copy_from":
                self._number("Start from the pose of frame", self._canvas.start_from)
            elif action == "doubts":
                self._doubts(rows or [])
            elif action == "history":
                self._history(frame, rows or [])
            elif action == "who":
                self._who()

    def _number(self, title: str, then: Callable[[int], object]) -> None:
        last = self._desk.session.frames - 1

        def take() -> None:
            value = number.value
            if value is not None and 0 <= value <= last and value == int(value):
                box.close()
                then(int(value))
            else:
                number.props(f'error error-message="wanted 0 to {last}"')

        with dialog("auto") as box:
            ui.label(f"{title} (0 to {last})")
            number = ui.number(min=0, max=last, format="%d").props("autofocus outlined dense")
            number.style("width: 100%").on("keydown.enter", take)
            with ui.row():
                ui.button("Go", on_click=take).props("no-caps unelevated")
                ui.button("Cancel", on_click=box.close).props("flat no-caps")

    def _doubts(self, rows: list[dict[str, Any]]) -> None:
        def go(event: Any) -> None:
            box.close()
            self._canvas.go(int(event.args[1]["frame"]), str(event.args[1]["joint"]))

        async def found_right(event: Any) -> None:
            try:
                await run.io_bound(lambda: self._desk.check(int(event.args["frame"]), self._seat.who, right=True))
            except RefinerError as error:
                self._canvas.say(str(error))
                return
            # The row stays, so that no other one slides under the pointer.
            there = {"doubt": "found right", "solved": False}
            table.rows = [{**row, **(there if row["id"] == event.args["id"] else {})} for row in table.rows]

        with dialog("900px") as box:
            ui.label("In doubt, the worst first: labels before solved joints. A click on a row goes to the frame.")
            heads = {"frame": "frame", "joint": "joint", "why": "what speaks against it", "doubt": "doubt"}
            columns: list[dict[str, Any]] = [
                {"name": name, "label": label, "field": name, "sortable": True, "align": "left"}
                for name, label in heads.items()
            ]
            columns.append({"name": "right", "label": "", "field": "id", "align": "right"})
            table = (
                ui.table(columns=columns, rows=rows, row_key="id", pagination=PAGE)
                .style("width: 100%")
                .props(pages(rows))
            )
            table.props('dense flat wrap-cells no-data-label="Nothing is in doubt. Solve to find out."')
            table.add_slot(
                "body-cell-right",
                '<q-td><q-btn v-if="props.row.solved" outline dense no-caps no-wrap size="sm" label="found right" '
                'class="q-px-sm" @click.stop="$parent.$emit(\'right\', props.row)" /></q-td>',
            )
            table.on("row-click", go).on("right", found_right)
            ui.button("Close", on_click=box.close).props("flat no-caps")

    def _history(self, frame: int, rows: list[dict[str, Any]]) -> None:
        authors = self._desk.session.edits.authors().most_common()
        with dialog("760px") as box:
            ui.label(f"Frame {frame}: what was done to it, the newest first (times in UTC)")
            columns = [{"name": k, "label": k, "field": k, "align": "left"} for k in ("when", "who", "what", "joints")]
            ui.table(columns=columns, rows=rows, pagination=PAGE).props(pages(rows)).style("width: 100%").props(
                'dense flat no-data-label="Nobody has labelled this frame."'
            )
            told = ", ".join(f"{who} {count}" for who, count in authors)
            ui.label(f"Frames labelled last by: {told or 'nobody yet'}").classes("quiet")
            ui.button("Close", on_click=box.close).props("flat no-caps")

    def _who(self) -> None:
        def take() -> None:
            if name.value and name.value.strip():
                box.close()
                self._seat.be(name.value)

        with dialog("auto") as box:
            ui.label("Who labels? Undo takes back one's own changes.")
            name = ui.input("Name", value=self._seat.who).props("autofocus outlined").style("width: 260px")
            name.on("keydown.enter", take).on("focus", js_handler="(event) => event.target.select()")
            with ui.row():
                ui.button("Use this name", on_click=take).props("no-caps unelevated")
                ui.button("Cancel", on_click=box.close).props("flat no-caps")


@contextmanager
def dialog(width: str) -> Iterator[ui.dialog]:
    """Open a dialog with a card of a width; it goes when it is closed."""
    with ui.dialog(value=True) as box, ui.card().style(f"width: {width}; max-width: 96vw"):
        yield box
    box.on("hide", box.delete)


def pages(rows: Sized) -> str:
    """Return the properties of a table with a footer that turns its pages, and none where there is one page."""
    return f':rows-per-page-options="[{PAGE}]"' + " hide-pagination" * (len(rows) <= PAGE)


def doubt_rows(desk: Desk) -> list[dict[str, Any]]:
    """Return the rows of the list of doubts.

    Labels that make no sense come first, then labels that the last solve could not keep, then solved joints, the worst
    first.
    """
    wrong = [one for one in desk.judge() if not one.believed]
    labels = [(one.frame, one.joint or "whole image", one.why, "", False) for one in wrong]
    labels += [(*one, "", False) for one in desk.conflicts()]
    solved = [(one.frame, one.joint, one.why, f"{one.doubt:.1f}", True) for one in desk.doubts()[:LISTED]]
    names = ("frame", "joint", "why", "doubt", "solved")
    return [{"id": k, **dict(zip(names, row, strict=True))} for k, row in enumerate([*labels, *solved])]


def history_rows(desk: Desk, frame: int) -> list[dict[str, Any]]:
    """Return what was done to a frame, the newest first."""
    return [
        {
            "id": number,
            "when": one.when.replace("T", " ")[:19],
            "who": one.who,
            "what": one.note,
            "joints": 0 if one.labels is None else int((one.labels.flag > 0).sum()),
        }
        for number, one in enumerate(reversed(desk.session.history(frame)))
    ]
