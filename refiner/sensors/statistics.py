"""Statistics of depth maps that noise shows in: holes, rims, second differences, inner edges, spectra.

Each is a distribution over a set of maps, or a vector; `refiner.realism.noise` compares two sets by them.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner.geometry.holes import hole_rate, hole_sizes_px

EDGE_PX = 4
_STEP_LIMIT_MM = 50.0
_BENDS_MM, _RARE = (4.0, 6.0, 10.0, 20.0, 40.0, np.inf), 1e-4
_SPECTRUM_PX, _WHOLE = 16, 0.9


def hole_rates(depth_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of each map's hand that is holes, (n,), see `refiner.geometry.holes.hole_rate`."""
    return np.array([hole_rate(map_[None] > 0) for map_ in depth_mm])


def all_hole_sizes_px(depth_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sizes of all holes of all maps; a single 0 where there is none."""
    sizes = [size for map_ in depth_mm for size in hole_sizes_px(map_ > 0)]
    return np.array(sizes or [0], dtype=np.float64)


def edge_profile_mm(depth_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how depth changes where readings end, at outlines and around holes.

    Returns:
        Of each outermost reading its depth minus that of the farthest one within reach that lies `EDGE_PX` and more
        inside.
    """
    profile = []
    for map_ in depth_mm:
        hand = (map_ > 0).astype(np.uint8)
        depth_inside = cv2.distanceTransform(np.pad(hand, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        rim = (depth_inside > 0) & (depth_inside < 1.5)
        core = np.where(depth_inside >= EDGE_PX, map_, 0).astype(np.float32)
        # The farthest core reading within reach stands for the surface behind the rim.
        nearby = cv2.dilate(core, np.ones((2 * EDGE_PX + 1, 2 * EDGE_PX + 1), np.uint8))
        known = rim & (nearby > 0)
        profile.append((map_ - nearby)[known])
    joined = np.concatenate(profile) if profile else np.empty(0)
    return np.clip(joined.astype(np.float64), -130, 130) if len(joined) else np.zeros(1)


def depth_steps_mm(depth_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the second differences along rows, d(u-1) - 2 d(u) + d(u+1), over readings: noise, not slope."""
    triple = depth_mm[:, :, :-2] - 2 * depth_mm[:, :, 1:-1] + depth_mm[:, :, 2:]
    known = (depth_mm[:, :, :-2] > 0) & (depth_mm[:, :, 1:-1] > 0) & (depth_mm[:, :, 2:] > 0)
    steps = triple[known].astype(np.float64)
    return np.clip(steps, -_STEP_LIMIT_MM, _STEP_LIMIT_MM) if len(steps) else np.zeros(1)


def log_inner_edges(depth_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how often depth bends by more than noise does inside hands: at creases, and where fingers lie on a palm.

    Cameras differ in which edges they keep: a first Kinect averages low ones and keeps high ones sharp, a second mixes
    the surfaces of high ones. Among all second differences these are few, and a distance of `depth_steps_mm` hardly
    sees them.

    Returns:
        (5,) log2 of the share of second differences, along rows and columns, of 4 to 6, 10, 20, 40 mm and beyond, at
        pixels `EDGE_PX` and more from where readings end.
    """
    counts, pixels = np.zeros(len(_BENDS_MM) - 1), 0
    for map_ in depth_mm:
        padded = np.pad(map_, 1)
        inside = cv2.erode((padded > 0).astype(np.uint8), np.ones((2 * EDGE_PX - 1, 2 * EDGE_PX - 1), np.uint8))
        inner = inside[1:-1, 1:-1] > 0
        for around in (padded[1:-1, :-2] + padded[1:-1, 2:], padded[:-2, 1:-1] + padded[2:, 1:-1]):
            bends = np.abs(around - 2 * map_)[inner]
            counts += np.histogram(bends, _BENDS_MM)[0]
            pixels += len(bends)
    return np.log2(counts / max(pixels, 1) + _RARE)


def log_spectrum(depth_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean power spectrum of patches of 16 px about their plane, by frequency, in dB of mm^2: (7,).

    Patches have readings in at least nine pixels of ten. Powers are divided by the energy that the window has at
    readings, so that white noise of s mm has 20 log10 s dB at every frequency above those that the plane takes.
    """
    v, u = np.mgrid[:_SPECTRUM_PX, :_SPECTRUM_PX]
    plane = np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1)
    fit = plane @ np.linalg.pinv(plane)
    window = np.outer(np.hanning(_SPECTRUM_PX), np.hanning(_SPECTRUM_PX))
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(_SPECTRUM_PX) * _SPECTRUM_PX] * 2)).round().astype(int)
    total, count = np.zeros((_SPECTRUM_PX, _SPECTRUM_PX)), 0
    for map_ in depth_mm:
        windows = np.lib.stride_tricks.sliding_window_view(map_, (_SPECTRUM_PX, _SPECTRUM_PX))[::8, ::8]
        windows = windows.reshape(-1, _SPECTRUM_PX**2).astype(np.float64)
        windows = windows[(windows > 0).mean(axis=1) >= _WHOLE]
        known = windows > 0
        filled = np.where(known, windows, windows.sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True))
        weights = known.reshape(-1, _SPECTRUM_PX, _SPECTRUM_PX) * window
        residual = (filled - filled @ fit.T).reshape(weights.shape) * weights
        residual /= np.sqrt(np.square(weights).sum(axis=(1, 2), keepdims=True))
        total += (np.abs(np.fft.fft2(residual)) ** 2).sum(axis=0)
        count += len(windows)
    power = total / max(count, 1)
    return np.array([10 * np.log10(power[radius == r].mean() + 1e-9) for r in range(1, _SPECTRUM_PX // 2)])


STATISTICS: dict[str, tuple[Callable[[NDArray[np.float32]], NDArray[np.float64]], str]] = {
    "hole_rate": (hole_rates, "share"),
    "hole_size": (all_hole_sizes_px, "px"),
    "edge_profile": (edge_profile_mm, "mm"),
    "depth_steps": (depth_steps_mm, "mm"),
}
"""Name -> function of (n, H, W) mm, and its unit; each gives samples of a distribution."""
