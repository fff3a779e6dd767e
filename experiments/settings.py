"""What a folder of results was made with: a runner that goes on where it stopped must not mix two kinds of results.

A runner says its settings before it does anything. They are written beside the results, and a folder whose results were
made with other settings is refused.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from refiner import __version__
from refiner.files import write_json

SETTINGS = "settings.json"


def claim(out: Path, settings: dict[str, Any]) -> None:
    """Write the settings of a runner into its folder, or compare them with those that are there.

    Args:
        out: Folder of the results; need not exist.
        settings: All that the results depend on, as plain values; digests of what is read. The program's version is
            added.

    Raises:
        SystemExit: The folder holds results that were made with other settings, or nobody knows with which.
    """
    wanted = json.loads(json.dumps({"version": __version__, **settings}))
    path = out / SETTINGS
    if not path.exists():
        if out.exists() and any(out.iterdir()):
            _refuse(f"{out} holds results and no {SETTINGS}: nobody knows what they were made with.")
        write_json(path, wanted)
        return
    found = json.loads(path.read_text())
    if found != wanted:
        names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        differences = "; ".join(f"{name}: found {found.get(name)!r}, wanted {wanted.get(name)!r}" for name in names)
        _refuse(f"{out} holds results that were made with other settings ({differences}).")


def digest(*paths: Path) -> str:
    """Return a digest of files and of all files in folders: of their names and what they hold.

    Raises:
        SystemExit: One does not exist.
    """
    total = hashlib.sha256()
    for path in paths:
        if not path.exists():
            print(f"There is nothing at {path}, wanted a file or a folder.", file=sys.stderr)
            raise SystemExit(2)
        files = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
        for file in files:
            total.update(str(file.relative_to(path)).encode() + b"\0")
            with file.open("rb") as content:
                total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()[:16]


def _refuse(why: str) -> None:
    print(f"{why} Give another --out, or remove the folder.", file=sys.stderr)
    raise SystemExit(2)
