"""Cameras that people have, with published figures."""

from dataclasses import replace

from refiner.errors import UsageError
from refiner.sensors.depth_sensor import DepthSensor
from refiner.sensors.models.active_stereo import ActiveStereo
from refiner.sensors.models.structured_light import StructuredLight
from refiner.sensors.models.time_of_flight import TimeOfFlight

CATALOGUE: dict[str, DepthSensor] = {
    sensor.name or "": sensor
    for sensor in (
        # Depth stream of the first Kinect: 575 px (libfreenect, `registration.c`: 120 cm / 0.1042 mm), 575 to 594 px
        # between calibrations. The projector's place and the steps: see the model.
        DepthSensor((575.0, 575.0, 319.5, 239.5), (640, 480), 1.0, "kinect1", StructuredLight()),
        # The three of the NYU hand pose set (Tompson et al., TOG 2014), which share one calibration.
        DepthSensor((588.036865, 587.075073, 320.0, 240.0), (640, 480), 1.0, "kinect1-nyu", StructuredLight()),
        # 355 to 365 px between calibrations; these are of the recordings that came with a public hand-pose program.
        DepthSensor((363.9, 363.9, 255.4, 206.3), (512, 424), 1.0, "kinect2", TimeOfFlight()),
        # Creative Senz3D (SoftKinetic DS325), with the numbers of MSRA15 (Sun et al., CVPR 2015). Its data sheet: noise
        # below 14 mm at 1 m on a surface that reflects half of the light; 50 MHz; range 0.15 to 1 m, where such a
        # surface just has readings.
        DepthSensor(
            (241.42, 241.42, 160.0, 120.0), (320, 240), 1.0, "senz3d",
            TimeOfFlight(modulation_mhz=50.0, sigma_mm=7.0, min_amplitude=0.4),
        ),
        # Coded light. The unit: Zabatani et al., "Intel RealSense SR300 coded light depth camera", TPAMI 2020. Its
        # baseline is not published.
        DepthSensor((476.007, 476.007, 313.683, 242.755), (640, 480), 0.125, "sr305"),
        # D400 data sheet: baselines of 55 and 50 mm, the second imager at +x; 1280 x 720 and 848 x 480 are the modes
        # that each is best in (Intel, tuning guide). 920 px: SAPIEN's D415; 424 to 427 px between D435s. Sub-pixel RMS
        # 0.08 px: A. Grunnet-Jepsen, Intel (librealsense #3904).
        DepthSensor((920.0, 920.0, 639.5, 359.5), (1280, 720), 1.0, "d415", ActiveStereo(baseline_mm=55.0)),
        DepthSensor((425.0, 425.0, 423.5, 239.5), (848, 480), 1.0, "d435", ActiveStereo(baseline_mm=50.0)),
        # Scanned laser; 70 x 55 degrees (data sheet). Its noise, 2.5 mm at 1 m, is known of a 95 % reflector alone.
        DepthSensor((459.0, 459.0, 319.5, 239.5), (640, 480), 0.25, "l515"),
        # The factory's calibration of one device; 503.7 to 504 px between devices. Its rims are set to 0 by rules that
        # are not published. Of the wide mode a pinhole of this focal length shows the middle 91 degrees.
        DepthSensor((503.9, 504.0, 332.1, 325.9), (640, 576), 1.0, "azure-kinect-nfov"),
        DepthSensor((252.0, 252.0, 256.3, 254.0), (512, 512), 1.0, "azure-kinect-wfov"),
    )
}  # fmt: skip
"""Name -> camera. Those without a model are known by their pixels and units alone. Apple's TrueDepth is not among them:
its focal length and baseline are not published, and its files carry intrinsics of their own."""

AZURE_KINECT_MODES = {
    (640, 576): (1024, 192, 180), (320, 288): (512, 96, 90), (512, 512): (512, 0, 0), (1024, 1024): (1024, 0, 0),
}  # fmt: skip
"""Size of the maps of each depth mode -> side of the whole sensor in the mode's pixels, and where in it the maps begin
(Azure Kinect Sensor SDK, `transformation_get_mode_specific_depth_camera_calibration`)."""

OLD_NAMES = {"structured-light": "kinect1", "tof": "kinect2"}
"""What `refiner render --sensor` called them before this catalogue."""

PLAIN = replace(CATALOGUE["kinect1"], name=None, model=None)
"""Pixels of a camera that many have, without its optics and noise: what renders are made for unless told otherwise."""


def modelled(name: str) -> DepthSensor:
    """Return a camera of the catalogue that has a model.

    Raises:
        UsageError: There is none of that name, or nobody knows its optics and noise.
    """
    if name in OLD_NAMES:
        raise UsageError(f"Found the sensor {name!r}, which is called {OLD_NAMES[name]} now.")
    known = [name for name, sensor in CATALOGUE.items() if sensor.model is not None]
    if name not in known:
        raise UsageError(f"Found the sensor {name!r}, wanted one with a model: {', '.join(known)}.")
    return CATALOGUE[name]


def camera_of(text: str) -> DepthSensor:
    """Read a camera: a name of the catalogue, or fx,fy,cx,cy with or without ,width,height.

    Without a size the principal point is taken for the middle of the image. A camera of numbers has no model.

    Raises:
        UsageError: It is neither.
    """
    if text in CATALOGUE:
        return CATALOGUE[text]
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, 6):
        raise UsageError(
            f"Found the camera {text!r}, wanted {', '.join(CATALOGUE)}, or numbers fx,fy,cx,cy in pixels with or "
            "without ,width,height."
        )
    fx, fy, cx, cy = numbers[:4]
    columns, rows = numbers[4:] or (2 * cx + 1, 2 * cy + 1)
    if not (min(fx, fy) > 0 and 0 < cx < columns and 0 < cy < rows and max(columns, rows) <= 8192):
        raise UsageError(
            f"Found the camera {text!r}, wanted focal lengths > 0 and a principal point inside an image of at most "
            "8192 px a side."
        )
    return DepthSensor((fx, fy, cx, cy), (round(columns), round(rows)))
