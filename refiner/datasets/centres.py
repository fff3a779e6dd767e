"""Hand centres that a person or another program found, in a text file: `relative/path u v z` a line.

u and v are pixels of the file's image, z is the depth there in millimetres. The path is relative to the recording, with
slashes, and may hold spaces. Lines that are empty or begin with # are passed over.
"""

from pathlib import Path

import numpy as np

from refiner.errors import UsageError


def read_centres(path: Path) -> dict[str, tuple[float, float, float]]:
    """Read a file of hand centres.

    Returns:
        u, v (px) and z (mm) by path.

    Raises:
        UsageError: The file is missing, or a line is not of this form; the message names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--centres {path} cannot be read: {error}. Give a text file.") from error
    centres: dict[str, tuple[float, float, float]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.rsplit(maxsplit=3)
        try:
            u, v, z = (float(word) for word in words[1:])
        except ValueError:
            u = v = z = float("nan")
        if not np.isfinite([u, v, z]).all() or z <= 0:
            raise UsageError(
                f"{path}, line {number}: found {line.strip()!r}, wanted `relative/path u v z` with u, v in pixels and "
                "a depth z > 0 in mm."
            )
        centres[words[0].strip()] = (u, v, z)
    return centres
