"""Contact sheets: rows of maps of several sets, one above the other, each spread over its set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from refiner import viz
from refiner.datasets.inspection import shade_item, sheet_items
from refiner.datasets.store import DepthStore

COLUMNS, CELL_PX = 8, 192


def shaded(store: DepthStore) -> list[viz.Picture]:
    """Draw maps of a set, coloured over the depth range of their cubes; of sets of one length the same items."""
    return [shade_item(store, int(item)) for item in sheet_items(len(store), COLUMNS)]


def save_sheet(path: Path, rows: Mapping[str, Sequence[viz.Picture]]) -> None:
    """Write rows of pictures with their titles."""
    enlarged = [[viz.enlarge(picture, CELL_PX) for picture in row] for row in rows.values()]
    viz.save_png(path, viz.contact_sheet(enlarged, titles=list(rows)))
