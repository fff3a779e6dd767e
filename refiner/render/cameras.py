"""The cameras that renders are made for, by name or by numbers."""

from dataclasses import dataclass

from refiner.errors import UsageError


@dataclass(frozen=True)
class ImageCamera:
    """A camera and the size of its image.

    Attributes:
        intrinsics: fx fy cx cy, px.
        columns: Width of the image, px.
        rows: Its height.
    """

    intrinsics: tuple[float, float, float, float]
    columns: int
    rows: int


CAMERAS: dict[str, ImageCamera] = {
    # Depth stream of the first Kinect; 575 to 585 px between devices.
    "kinect1": ImageCamera((575.0, 575.0, 319.5, 239.5), 640, 480),
    "kinect2": ImageCamera((363.9, 363.9, 255.4, 206.3), 512, 424),
    "sr305": ImageCamera((476.007, 476.007, 313.683, 242.755), 640, 480),
}


def camera_of(text: str) -> ImageCamera:
    """Read a camera: a name of `CAMERAS`, or fx,fy,cx,cy with or without ,width,height.

    Without a size the principal point is taken for the middle of the image.

    Raises:
        UsageError: It is neither.
    """
    if text in CAMERAS:
        return CAMERAS[text]
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, 6):
        raise UsageError(
            f"Found the camera {text!r}, wanted {', '.join(CAMERAS)}, or numbers fx,fy,cx,cy in pixels with or "
            "without ,width,height."
        )
    fx, fy, cx, cy = numbers[:4]
    columns, rows = numbers[4:] or (2 * cx + 1, 2 * cy + 1)
    if not (min(fx, fy) > 0 and 0 < cx < columns and 0 < cy < rows and max(columns, rows) <= 8192):
        raise UsageError(
            f"Found the camera {text!r}, wanted focal lengths > 0 and a principal point inside an image of at most "
            "8192 px a side."
        )
    return ImageCamera((fx, fy, cx, cy), round(columns), round(rows))
