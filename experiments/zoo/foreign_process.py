"""Other people's depth camera, run by the interpreter of an environment of its own: see `foreign_camera`.

    python foreign_process.py IN.npz OUT.npy

IN holds depth_m (N, rows, columns) float32, grey (N, rows, columns) uint8, seeds (N,) and settings (a JSON text); OUT
will hold (N, rows, columns) uint16 millimetres. BlenderProc's noise of the Azure Kinect comes first, then the filters
of librealsense by way of its software device. Nothing of either is copied here.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WAIT_MS = 10_000


def azure_noise() -> Any:
    """Return BlenderProc's `add_kinect_azure_noise`, loaded from its file: its package starts only inside Blender.

    What the file imports and that function does not use is left empty.
    """
    for name in (
        *("bpy", "mathutils", "scipy", "scipy.stats"),
        *("blenderproc", "blenderproc.python", "blenderproc.python.camera", "blenderproc.python.utility"),
    ):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["scipy"].stats = None  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules["blenderproc.python.camera"].CameraUtility = None  # pyright: ignore[reportAttributeAccessIssue]
    meshes = types.ModuleType("blenderproc.python.utility.BlenderUtility")
    meshes.get_all_blender_mesh_objects = None  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules[meshes.__name__] = meshes
    inside = Path("blenderproc/python/postprocessing/PostProcessingUtility.py")
    path = next(Path(folder) / inside for folder in sys.path if (Path(folder) / inside).is_file())
    spec = importlib.util.spec_from_file_location("post_processing", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.add_kinect_azure_noise


class Filters:
    """The filters that librealsense offers after a stereo camera, on a device that exists in software only."""

    def __init__(self, rows: int, columns: int, settings: dict[str, float]) -> None:
        self.rs: Any = importlib.import_module("pyrealsense2")
        rs = self.rs
        focal = settings["focal_px"]
        self.shape, self.count = (rows, columns), 0
        self.device = rs.software_device()
        self.sensor = self.device.add_sensor("stereo")
        stream, lens = rs.video_stream(), rs.intrinsics()
        lens.width, lens.height, lens.fx, lens.fy = columns, rows, focal, focal
        lens.ppx, lens.ppy, lens.model, lens.coeffs = (columns - 1) / 2, (rows - 1) / 2, rs.distortion.none, [0.0] * 5
        stream.type, stream.uid, stream.fmt, stream.bpp, stream.fps = rs.stream.depth, 0, rs.format.z16, 2, 30
        stream.width, stream.height, stream.intrinsics = columns, rows, lens
        self.profile = self.sensor.add_video_stream(stream)
        self.sensor.add_read_only_option(rs.option.depth_units, 0.001)
        self.sensor.add_read_only_option(rs.option.stereo_baseline, settings["baseline_mm"])
        self.queue = rs.frame_queue(2)
        self.sensor.open(self.profile)
        self.sensor.start(self.queue)
        smooth = rs.spatial_filter()
        for option in ("filter_magnitude", "filter_smooth_alpha", "filter_smooth_delta", "holes_fill"):
            smooth.set_option(getattr(rs.option, option), settings[option])
        fill = rs.hole_filling_filter(int(settings["hole_filling"]))
        self.steps = (rs.disparity_transform(True), smooth, rs.disparity_transform(False), fill)

    def __call__(self, depth_mm: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Filter one image, (rows, columns)."""
        rs, frame = self.rs, self.rs.software_video_frame()
        self.count += 1
        frame.pixels, frame.stride, frame.bpp = depth_mm, 2 * self.shape[1], 2
        frame.timestamp, frame.frame_number, frame.domain = (
            33.0 * self.count,
            self.count,
            rs.timestamp_domain.system_time,
        )
        frame.profile, frame.depth_units = self.profile.as_video_stream_profile(), 0.001
        self.sensor.on_video_frame(frame)
        passed = self.queue.wait_for_frame(WAIT_MS)
        for step in self.steps:
            passed = step.process(passed)
        return np.array(passed.get_data(), copy=True).reshape(self.shape)

    def close(self) -> None:
        """Stop the device."""
        self.sensor.stop()
        self.sensor.close()


def main() -> None:
    given = np.load(sys.argv[1])
    depth_m, grey = given["depth_m"], given["grey"]
    settings = json.loads(str(given["settings"]))
    noise, filters = azure_noise(), Filters(depth_m.shape[1], depth_m.shape[2], settings)
    out = np.empty(depth_m.shape, np.uint16)
    for n, seed in enumerate(given["seeds"].tolist()):
        np.random.seed(seed)  # noqa: NPY002 - the global state is what that function draws from
        noisy = noise(depth_m[n].copy(), np.repeat(grey[n][..., None], 3, axis=2))
        out[n] = filters(np.ascontiguousarray(np.rint(np.clip(noisy, 0, 60) * 1000), np.uint16))
    filters.close()
    with Path(sys.argv[2]).open("wb") as file:
        np.save(file, out)


if __name__ == "__main__":
    main()
