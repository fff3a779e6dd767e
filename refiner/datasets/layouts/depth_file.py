"""Read one depth map of a file: PNG, TIFF, NPY or NPZ, in whatever unit its numbers are.

TIFF, NPY (N, H, W) and NPZ may hold many, which are frames in order. In floating-point files NaN and infinities mean no
reading, as 0 does.
"""

import functools
import re
import struct
import threading
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from refiner.errors import DepthFormatError

SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".npz")
_STACKS = (".tif", ".tiff", ".npy", ".npz")
_DAMAGE = (OSError, EOFError, ValueError, zipfile.BadZipFile, tifffile.TiffFileError)
_NYU_NAME = re.compile(r"(?:synth)?depth_\d_\d{7}\.png")


def count_maps(path: Path) -> int:
    """Return how many depth maps a file holds, without reading them; 1 where it cannot be told.

    Of a TIFF that is cut short the first missing page counts too: reading it says what is wrong.
    """
    suffix = path.suffix.lower()
    if suffix not in _STACKS:
        return 1
    try:
        if suffix.startswith(".tif"):
            with path.open("rb") as file, tifffile.TiffFile(file) as tiff:
                return max(len(tiff.pages) + _points_on(tiff), 1)
        shape = np.load(path, mmap_mode="r").shape if suffix == ".npy" else _shape_in_archive(path)
    except _DAMAGE:
        return 1  # reading it says what is wrong
    return shape[0] if _is_stack(shape) else 1


def read_depth_file(path: Path, page: int | None = None) -> NDArray[Any]:
    """Read the numbers of a depth map.

    Args:
        path: The file.
        page: Which of several, from 0 on; nothing for a file that holds one.

    Returns:
        (H, W) integers of at least 16 bits or floats, all finite and >= 0; 0 = no reading.

    Raises:
        DepthFormatError: The file cannot be read, is cut short, has colours or only 8 bits, or holds negative numbers
            or nothing but NaN.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".npy", ".npz"):
            numbers = np.load(path, mmap_mode="r", allow_pickle=False) if suffix == ".npy" else _array_of(path)
            if page is not None:
                numbers = numbers[page]
            if numbers.ndim == 3 and numbers.shape[2] == 1:
                numbers = numbers[..., 0]
            numbers = np.array(numbers)
        else:
            numbers = _decode(path, page)
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or error
        raise DepthFormatError(
            f"{path} cannot be read as a depth map: {reason}. Mend or remove the file, or leave it out with "
            "--on-error skip."
        ) from error
    return _checked(path, numbers)


def _is_stack(shape: tuple[int, ...]) -> bool:
    """Return whether an array of this shape is maps one after the other: (N, H, W) or (N, H, W, 1)."""
    return (len(shape) == 3 and shape[2] > 4) or (len(shape) == 4 and shape[3] == 1)


def _points_on(tiff: tifffile.TiffFile) -> bool:
    """Return whether the last page that was found names a next one, which then is not there."""
    if not len(tiff.pages):
        return False
    form, file = tiff.tiff, tiff.filehandle
    file.seek(tiff.pages[-1].offset)
    (tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    file.seek(tags * form.tagsize, 1)
    return any(file.read(form.offsetsize))


def _decode(path: Path, page: int | None) -> NDArray[Any]:
    if page is not None:
        # OpenCV gets bytes and never a path: it ends the process at names that are no UTF-8.
        data = np.memmap(path, np.uint8, mode="r")
        done, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
        image = pages[0] if done and len(pages) else None
        size = data.size
    else:
        content = path.read_bytes()
        # Some releases of OpenCV give what they could read of a PNG that is cut short, as if it were whole.
        whole = path.suffix.lower() != ".png" or b"IEND" in content[-64:]
        data = np.frombuffer(content, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if content and whole else None
        size = len(content)
    if image is None:
        raise ValueError(f"found {size} bytes that are damaged or cut short, wanted a whole image file")
    return image


def _shape_in_archive(path: Path) -> tuple[int, ...]:
    """Read the shape of the maps of an NPZ file from its header."""
    with zipfile.ZipFile(path) as archive:
        name = _name_of_maps([member.removesuffix(".npy") for member in archive.namelist()])
        with archive.open(f"{name}.npy") as file:
            old = np.lib.format.read_magic(file) == (1, 0)
            read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
            return read(file)[0]


def _name_of_maps(names: list[str]) -> str:
    name = "depth" if "depth" in names else names[0] if len(names) == 1 else None
    if name is None:
        raise ValueError(f"found the arrays {', '.join(names) or 'none'}, wanted one, or one called depth")
    return name


def _array_of(path: Path) -> NDArray[Any]:
    """Return the array of maps of an NPZ file, which is kept for its next pages."""
    with _ARRAYS_LOCK:
        status = path.stat()
        return _load_array(path, status.st_mtime_ns, status.st_size)


_ARRAYS_LOCK = threading.Lock()


@functools.lru_cache(maxsize=2)
def _load_array(path: Path, _modified_ns: int, _size: int) -> NDArray[Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays[_name_of_maps(list(arrays.files))]


def _checked(path: Path, numbers: NDArray[Any]) -> NDArray[Any]:
    found = f"found {' x '.join(map(str, numbers.shape))} numbers of type {numbers.dtype}"
    if numbers.ndim != 2:
        way_out = "Put only depth maps in the folder, or choose them with --pattern."
        if _NYU_NAME.fullmatch(path.name) and numbers.dtype == np.uint8:
            way_out = "The name and the colours are those of the NYU hand pose set: give its folder with --layout nyu."
        raise DepthFormatError(
            f"{path} is not a depth map: {found}, a colour image or a stack; wanted one channel of at least 16 bits. "
            f"{way_out}"
        )
    is_float = np.issubdtype(numbers.dtype, np.floating)
    if not is_float and (not np.issubdtype(numbers.dtype, np.integer) or numbers.dtype.itemsize < 2):
        raise DepthFormatError(
            f"{path} is not a metric depth map: {found}, wanted integers of at least 16 bits or floats. 8 bits hold a "
            "picture of depth, not its millimetres: export the camera's own numbers."
        )
    if is_float:
        finite = np.isfinite(numbers)
        if not finite.any():
            raise DepthFormatError(f"{path} holds no reading at all: found only NaN, wanted depths > 0.")
        numbers = np.where(finite, numbers, 0)
    if numbers.min(initial=0) < 0:
        raise DepthFormatError(
            f"{path} is not a depth map: found the negative depth {numbers.min()}, wanted depths >= 0 with 0 for no "
            "reading. Convert the file."
        )
    return numbers
