"""Read one file with one depth map: PNG, TIFF or NPY, in whatever unit its numbers are.

In floating-point files NaN and infinities mean no reading, as 0 does.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner.errors import DepthFormatError

SUFFIXES = (".png", ".tif", ".tiff", ".npy")


def read_depth_file(path: Path) -> NDArray[Any]:
    """Read the numbers of a depth map.

    Returns:
        (H, W) integers of at least 16 bits or floats, all finite and >= 0; 0 = no reading.

    Raises:
        DepthFormatError: The file cannot be read, is cut short, has colours or only 8 bits, or holds negative numbers
            or nothing but NaN.
    """
    try:
        numbers = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else _decode(path)
    except (OSError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DepthFormatError(
            f"{path} cannot be read as a depth map: {reason}. Mend or remove the file, or leave it out with "
            "--on-error skip."
        ) from error
    return _checked(path, numbers)


def _decode(path: Path) -> NDArray[Any]:
    data = path.read_bytes()
    # Some releases of OpenCV give what they could read of a PNG that is cut short, as if it were whole.
    whole = path.suffix.lower() != ".png" or b"IEND" in data[-64:]
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data and whole else None
    if image is None:
        raise ValueError(f"found {len(data)} bytes that are damaged or cut short, wanted a whole image file")
    return image


def _checked(path: Path, numbers: NDArray[Any]) -> NDArray[Any]:
    found = f"found {' x '.join(map(str, numbers.shape))} numbers of type {numbers.dtype}"
    if numbers.ndim != 2:
        raise DepthFormatError(
            f"{path} is not a depth map: {found}, a colour image or a stack; wanted one channel of at least 16 bits. "
            "Put only depth maps in the folder."
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
