"""Labels of any format that is known: which one it is, the content says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refiner.annotate.exchange import coco, cvat, label_studio
from refiner.annotate.exchange.coco import read_coco
from refiner.annotate.exchange.cvat import read_cvat
from refiner.annotate.exchange.cvat_labels import LABELS_OF_TASK
from refiner.annotate.exchange.label_file import LabelFile, labels_of
from refiner.annotate.exchange.label_studio import read_label_studio
from refiner.annotate.exchange.labelme import read_labelme
from refiner.annotate.exchange.record import FileContent
from refiner.annotate.sessions.json_file import read_json
from refiner.errors import DatasetNotFoundError, LabelError
from refiner.hand.skeleton import Skeleton

KNOWN = "COCO keypoints (`images`, `annotations`, `categories`), labelme (`shapes`), a list of Label Studio's tasks"
PICTURES_FILES = (coco.LABELS, cvat.LABELS, label_studio.LABELS)
"""What `refiner annotate pictures` writes beside the pictures for tools that have one file for all images."""


def read_labels(path: str | Path, skeleton: Skeleton, size: int, sources: Sequence[str]) -> LabelFile:
    """Read and check labels; joints that are not named are absent.

    Args:
        path: A file; or a folder of labelme's files, or one that `refiner annotate pictures` wrote.
        skeleton: Of the session.
        size: Side of its crops in pixels.
        sources: Where each of its frames came from.

    Raises:
        DatasetNotFoundError: There is no such file, or no JSON in the folder.
        LabelError: It has no format that is known, or is not of this session, or contradicts itself; the message says
            where.
    """
    try:
        return labels_of(_content(Path(path)), skeleton, size, sources)
    except RecursionError:  # a value that could just be read, and not be shown in a message
        raise LabelError(f"{path}: found brackets in brackets by the thousand, wanted {KNOWN}.") from None


def _content(path: Path) -> FileContent:
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if (written := _written_by_pictures(path, files)) is not None:
            return _content(written)
        if not files:
            raise DatasetNotFoundError(
                f"No labels in the folder {path}: found no *.json, wanted those that labelme writes beside pictures. "
                "Check the path; of other tools give the file."
            )
        return read_labelme([(str(file), _labelme_file(file)) for file in files], str(path))
    start = _start(path)
    if start.startswith(b"PK\x03\x04"):
        raise LabelError(f"{path} is a ZIP archive, wanted what is in it. Unpack it, and import the file of labels.")
    if start.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):  # byte order marks and spaces may go before
        return read_cvat(path.read_bytes(), str(path))
    content = read_json(path)
    if isinstance(content, list):
        return read_label_studio(content, str(path))
    if _is_of_labelme(content):
        return read_labelme([(str(path), content)], str(path))
    if isinstance(content, dict) and {"images", "annotations", "categories"} & set(content):
        return read_coco(content, str(path))
    found = f"an object with {sorted(content)[:5]}" if isinstance(content, dict) else type(content).__name__
    raise LabelError(f"{path}: found {found}, wanted {KNOWN}, or CVAT for images 1.1 (XML). Export it in one of these.")


def _written_by_pictures(folder: Path, files: Sequence[Path]) -> Path | None:
    """Return the file that `pictures` wrote for all images of a folder, nothing where there is none.

    Raises:
        LabelError: Other labels lie beside it.
    """
    known = [folder / name for name in PICTURES_FILES if (folder / name).is_file()]
    known = [file for file in known if file.suffix != ".json" or not _is_of_labelme(read_json(file))]
    if not known:
        return None
    others = [file for file in (*known[1:], *files) if file not in (known[0], folder / LABELS_OF_TASK)]
    if others:
        raise LabelError(
            f"{folder}: found {known[0].name} and {others[0].name}, wanted labels of one tool in a folder. Give the "
            f"file that is meant: {known[0]} or {others[0]}."
        )
    return known[0]


def _is_of_labelme(content: Any) -> bool:
    return isinstance(content, dict) and "shapes" in content


def _start(path: Path) -> bytes:
    if not path.is_file():
        raise DatasetNotFoundError(f"No file {path}: found nothing, wanted labels. Check the path.")
    with path.open("rb") as file:
        return file.read(4096)


def _labelme_file(path: Path) -> Any:
    content = read_json(path)
    if not _is_of_labelme(content):
        raise LabelError(
            f"{path}: found no `shapes`, wanted labelme's files alone in a folder of labels. Give the file itself, if "
            "it holds labels of another tool; else move it away."
        )
    return content
