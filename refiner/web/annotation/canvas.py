"""The two components of the page's own: the bench with the map and its joints, and the timeline of all frames."""

from collections.abc import Callable
from typing import Any

from nicegui import ui


class HandCanvas(ui.element, component="js/hand_canvas.js", esm={"hand-page": "js"}):
    """The map with its joints, and what is beside it."""

    def __init__(self, setup: dict[str, Any], actions: list[dict[str, Any]], who: str, look: dict[str, Any]) -> None:
        """Make it.

        Args:
            setup: See `refiner.web.annotation.routes.setup_of`.
            actions: The table of keys.
            who: Who sits there.
            look: Colour map and relief.
        """
        super().__init__()
        self._props.update(setup=setup, actions=actions, who=who, look=look)

    def on_moved(self, handler: Callable[[int], Any]) -> None:
        """Call a function with the frame whenever another one is shown."""
        self.on("moved", lambda event: handler(int(event.args["frame"])))

    def on_act(self, handler: Callable[[dict[str, Any]], Any]) -> None:
        """Call a function with what is not the canvas's own: the name of the `action`, the `frame`, and `who`."""
        self.on("act", lambda event: handler(event.args))

    def act(self, action: str) -> None:
        """Do what a key would do."""
        self.run_method("act", action)

    def go(self, frame: int, joint: str = "") -> None:
        """Show a frame, and choose a joint of it."""
        self.run_method("go", frame, joint)

    def start_from(self, frame: int) -> None:
        """Copy the pose of another frame to the frame that is shown."""
        self.run_method("startFrom", "labels", frame, f"frame {frame}")

    def say(self, text: str) -> None:
        """Tell the person something."""
        self.run_method("say", text)

    def refresh(self) -> None:
        """Read again what somebody else may have changed."""
        self.run_method("refresh")

    def set(self, **props: Any) -> None:
        """Change who, look or actions."""
        self._props.update(props)
        self.update()


class Timeline(ui.element, component="js/timeline.js"):
    """All frames in a row, coloured by their state; a click goes there."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self._props.update(frames=frames, told="")

    def on_go(self, handler: Callable[[int], Any]) -> None:
        """Call a function with the frame that was clicked."""
        self.on("go", lambda event: handler(int(event.args)))

    def show(self, frame: int) -> None:
        """Mark the frame that is shown."""
        self.run_method("show", frame)

    def tell(self, text: str) -> None:
        """Show how the work goes."""
        self._props["told"] = text
        self.update()

    def refresh(self) -> None:
        """Read the states again."""
        self.run_method("refresh")
