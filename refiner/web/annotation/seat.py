"""Who sits at an open page: their name, their keys, and how they look at maps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from refiner.web.annotation.keys import Action, KeyTables


@dataclass(eq=False)
class Seat:
    """One person at one page.

    Attributes:
        keys: Of all persons.
        who: Their name.
        look: Colour map and relief.
        changed: Is called whenever name, keys or look have changed.
    """

    keys: KeyTables
    who: str
    look: dict[str, Any] = field(default_factory=lambda: {"colours": "cividis", "relief": False})
    changed: Callable[[], object] = lambda: None

    def table(self) -> tuple[Action, ...]:
        """Return which key does what for them."""
        return self.keys.of(self.who)[1]

    def key_of(self, action: str) -> str:
        """Return the first key of an action."""
        return next((one.keys[0] for one in self.table() if one.action == action and one.keys), "no key")

    def be(self, who: str) -> None:
        """Sit there as somebody else."""
        self.who = who.strip()[:80]
        self.changed()

    def set_look(self, **look: Any) -> None:
        """Look at maps another way."""
        self.look = {**self.look, **look}
        self.changed()
