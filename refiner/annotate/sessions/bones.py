"""How long the bones of a hand are: BONES.json, {"joint name": millimetres to its parent}."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.annotate.sessions.json_file import is_number, read_json
from refiner.errors import LabelError
from refiner.files import write_json
from refiner.hand.skeleton import Skeleton

SHORTEST_MM, LONGEST_MM = 3.0, 200.0


def check_bones(bones_mm: ArrayLike, skeleton: Skeleton) -> NDArray[np.float64]:
    """Check the lengths of a hand's bones.

    Args:
        bones_mm: (J,) from each joint to its parent; that of the root is not looked at.
        skeleton: Names and tree of the joints.

    Returns:
        (J,), NaN at the root.

    Raises:
        LabelError: One is missing or impossible.
    """
    lengths = np.array(bones_mm, dtype=np.float64)
    if lengths.shape != (len(skeleton),):
        raise LabelError(
            f"Found bone lengths of shape {lengths.shape}, wanted ({len(skeleton)},), one for each joint of "
            f"{skeleton.name!r}. Measure the bones of that skeleton."
        )
    root = skeleton.parents.index(-1)
    lengths[root] = np.nan
    possible = (lengths >= SHORTEST_MM) & (lengths <= LONGEST_MM)  # NaN is impossible
    possible[root] = True
    if not possible.all():
        wrong = ", ".join(f"{skeleton.joints[j]} {lengths[j]:g} mm" for j in np.flatnonzero(~possible))
        raise LabelError(
            f"Found the bone lengths {wrong}, wanted {SHORTEST_MM:g} to {LONGEST_MM:g} mm from each joint to its "
            "parent. Measure them again."
        )
    return lengths


def read_bones(path: str | Path, skeleton: Skeleton) -> NDArray[np.float64]:
    """Read a BONES.json.

    Returns:
        (J,) mm, NaN at the root.

    Raises:
        DatasetNotFoundError: There is no such file.
        LabelError: Joints are unknown or missing, or lengths impossible.
    """
    content = read_json(path)
    wanted = {skeleton.joints[child] for _, child in skeleton.bones}
    if not isinstance(content, dict):
        raise LabelError(f'{path}: found {type(content).__name__}, wanted {{"joint name": mm to its parent}}.')
    if unknown := [name for name in content if name not in wanted]:
        root = skeleton.joints[skeleton.parents.index(-1)]
        raise LabelError(
            f"{path}: found the joints {unknown}, wanted names of {skeleton.name!r} without its root {root!r}: "
            f"{', '.join(name for name in skeleton.joints if name != root)}. Rename or remove them."
        )
    if missing := [name for name in skeleton.joints if name in wanted - set(content)]:
        raise LabelError(f"{path} lacks the bones to {missing}, wanted one for each joint but the root. Add them.")
    for name, length in content.items():
        if not is_number(length):
            raise LabelError(f"{path}: found {name} = {length!r:.40}, wanted a length in mm.")
    try:
        return check_bones([content.get(name, np.nan) for name in skeleton.joints], skeleton)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from None


def write_bones(path: str | Path, bones_mm: NDArray[np.floating], skeleton: Skeleton) -> None:
    """Write a BONES.json."""
    lengths = check_bones(bones_mm, skeleton)
    write_json(Path(path), {skeleton.joints[child]: float(lengths[child]) for _, child in skeleton.bones})
