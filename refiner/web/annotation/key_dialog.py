"""The dialog that shows which key does what, and changes it."""

from html import escape
from typing import Any

from nicegui import ui

from refiner.web.annotation.keys import Action
from refiner.web.annotation.seat import Seat

MOUSE = (
    ("left click", "the joint that is next is here"),
    ("right click", "it is here, hidden behind something"),
    ("drag a joint", "move it; with the right button: it is hidden there"),
    ("click a joint", "choose it, when none is next; before that Ctrl+click"),
    ("right click", "on a joint: hidden or visible, when none is next"),
    ("wheel", "zoom to the pointer"),
    ("middle drag", "move the picture"),
    ("right drag", "window (to the side) and level (up and down)"),
)


def open_keys(seat: Seat) -> None:
    """Open the table of keys of the person who sits there."""
    keys = seat.keys
    hand, _ = keys.of(seat.who)

    def fill() -> None:
        table = seat.table()
        grid.clear()
        with grid:
            with ui.element("div"):
                ui.label("Mouse").classes("head")
                for what, does in MOUSE:
                    _row([what], does)
            for group in dict.fromkeys(one.group for one in table):
                with ui.element("div"):
                    ui.label(group).classes("head")
                    for one in table:
                        if one.group == group:
                            with _row(list(one.keys), one.does):
                                ui.button("change", on_click=lambda _, one=one: ask(one)).props("flat dense no-caps")

    def ask(action: Action) -> None:
        def take(event: Any) -> None:
            if key := name_of(event.args):
                other.close()
                before = seat.table()
                keys.set_keys(seat.who, action.action, [key])
                seat.changed()
                fill()
                lost = [one.does for one in before if key in one.keys and one.action != action.action]
                told.text = f"{key}: {action.does}" + "".join(
                    f". It was: {does}, which has it no more" for does in lost
                )

        with ui.dialog(value=True) as other, ui.card():
            ui.label(f"Press the key for: {action.does}")
            field = ui.input().props("autofocus outlined readonly")
            field.on("keydown.prevent", take, ["key", "ctrlKey", "metaKey", "altKey", "shiftKey"])
            ui.button("Cancel", on_click=other.close).props("flat no-caps")
        other.on("hide", other.delete)

    def change_hand(event: Any) -> None:
        keys.set_hand(seat.who, event.value)
        seat.changed()
        fill()

    def usual() -> None:
        keys.set_hand(seat.who, keys.of(seat.who)[0])
        seat.changed()
        fill()

    with ui.dialog(value=True) as box, ui.card().style("width: 1180px; max-width: 96vw"):
        with ui.row().style("align-items: center; width: 100%"):
            ui.label("The hand on the keys:")
            ui.toggle({"left": "left", "right": "right"}, value=hand, on_change=change_hand).props("dense no-caps")
            ui.button("Usual keys", on_click=usual).props("flat dense no-caps")
            told = ui.label("The other hand has the usual keys, mirrored.").classes("quiet").style("flex: 1")
            ui.button("Close", on_click=box.close).props("flat no-caps")
        grid = ui.element("div").classes("keys")
        fill()
    box.on("hide", box.delete)


def _row(keys: list[str], does: str) -> ui.element:
    row = ui.element("div").classes("row")
    with row:
        shown = " ".join(f"<kbd>{escape(key)}</kbd>" for key in keys) or "no key"
        ui.html(shown, sanitize=False).classes("which")
        ui.label(does).classes("does")
    return row


def name_of(event: dict[str, Any]) -> str:
    """Return the name of a key event, as js/keys.js has it; nothing for keys that are only held."""
    key = str(event["key"])
    key = {" ": "Space"}.get(key, key)
    if key in ("Control", "Shift", "Alt", "Meta", "Dead", "Process"):
        return ""
    letter = len(key) == 1 and key.lower() != key.upper()
    held = [("Ctrl+", event["ctrlKey"] or event["metaKey"]), ("Alt+", event["altKey"])]
    held.append(("Shift+", event["shiftKey"] and (letter or len(key) > 1)))
    return "".join(name for name, is_held in held if is_held) + (key.lower() if letter else key)
