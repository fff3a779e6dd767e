"""Random numbers that depend on nothing but a key and a place: noise of the same bytes whatever draws it, and when.

Each number is a hash of (key, column, row) in the camera's own pixels, so noise does not depend on the window either.
The hash is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014). `smooth_noise` is normal noise that is correlated over some pixels, as depth cameras give it: they match or
filter over windows.
"""

import numba
import numpy as np
from numpy.typing import NDArray

_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_16, _32, _48, _LOW16 = np.uint64(16), np.uint64(32), np.uint64(48), np.uint64(0xFFFF)
_TO_UNIT = 2.0**-53
# Four 16-bit uniforms: mean 4 * 65535 / 2, variance 4 * (2^32 - 1) / 12.
_SUM_MEAN, _SUM_SCALE = 131070.0, 1.0 / 37837.22


@numba.njit(nogil=True, cache=True)
def _mix(value):
    value = (value ^ (value >> _30)) * _ONE
    value = (value ^ (value >> _27)) * _TWO
    return value ^ (value >> _31)


@numba.njit(nogil=True, cache=True)
def noise_key(seed, item, stream):
    """Hash whole numbers >= 0 to the key of one item's noise; streams keep its uses apart."""
    key = _mix(np.uint64(seed) + _STEP)
    key = _mix((key ^ np.uint64(item)) + _STEP)
    return _mix((key ^ np.uint64(stream)) + _STEP)


@numba.njit(nogil=True, cache=True)
def _bits(key, column, row):
    return _mix((key ^ (np.uint64(np.uint32(column)) | (np.uint64(np.uint32(row)) << _32))) + _STEP)


@numba.njit(nogil=True, cache=True)
def uniform(key, column, row):
    """Give a number in [0, 1)."""
    return np.float64(_bits(key, column, row) >> _11) * _TO_UNIT


@numba.njit(nogil=True, cache=True)
def normal(key, column, row):
    """Give a number of mean 0 and variance 1: the sum of four uniforms, normal to the eye, never beyond 3.5."""
    bits = _bits(key, column, row)
    total = (bits & _LOW16) + ((bits >> _16) & _LOW16) + ((bits >> _32) & _LOW16) + (bits >> _48)
    return (np.float64(total) - _SUM_MEAN) * _SUM_SCALE


@numba.njit(nogil=True, cache=True)
def _expand(key, column, node_row, cell, scale, out):
    """Write one row of lattice nodes, interpolated along the row."""
    node, phase = column // cell, column % cell
    left, right = np.float32(normal(key, node, node_row)), np.float32(normal(key, node + 1, node_row))
    for u in range(out.size):
        out[u] = (left + np.float32(phase) / np.float32(cell) * (right - left)) * scale[phase]
        phase += 1
        if phase == cell:
            phase = 0
            node += 1
            left, right = right, np.float32(normal(key, node + 1, node_row))


@numba.njit(nogil=True, cache=True)
def smooth_noise(key, column, row, rows, columns, cell, out):
    """Write normal noise that is correlated over about `cell` pixels: bilinear between the nodes of a lattice.

    Variance 1 at every pixel: the weights' squares are normalised, else noise would fade between the nodes.

    Args:
        key: Of the noise.
        column: Of the window's first pixel in the camera's image, px.
        row: Likewise.
        rows: Of the window.
        columns: Likewise.
        cell: Distance of the nodes, whole px; 1 gives white noise.
        out: Written, (rows, columns) float32.
    """
    scale = np.empty(cell, dtype=np.float32)
    for k in range(cell):
        share = k / cell
        scale[k] = 1.0 / np.sqrt(share * share + (1.0 - share) * (1.0 - share))
    upper, lower = np.empty(columns, dtype=np.float32), np.empty(columns, dtype=np.float32)
    at = row // cell
    _expand(key, column, at, cell, scale, upper)
    _expand(key, column, at + 1, cell, scale, lower)
    for v in range(rows):
        i, phase = (row + v) // cell, (row + v) % cell
        if i != at:
            upper, lower = lower, upper
            _expand(key, column, i + 1, cell, scale, lower)
            at = i
        weight = np.float32(phase) / np.float32(cell) * scale[phase]
        rest = scale[phase] - weight
        for u in range(columns):
            out[v, u] = rest * upper[u] + weight * lower[u]


@numba.njit(nogil=True, cache=True)
def reach(depth_mm, radius, low, high):
    """Write for each row the first and last column that lie within `radius` pixels (a square) of a reading.

    Rows far from any reading get low = columns and high = -1, an empty range. Sensors look at these pixels only.
    """
    rows, columns = depth_mm.shape
    low[:] = columns
    high[:] = -1
    for v in range(rows):
        first, last = columns, -1
        for u in range(columns):
            if depth_mm[v, u] > 0.0:
                first = min(first, u)
                last = u
        if last < 0:
            continue
        for near in range(max(0, v - radius), min(rows, v + radius + 1)):
            low[near] = min(low[near], max(0, first - radius))
            high[near] = max(high[near], min(columns - 1, last + radius))


@numba.njit(nogil=True, cache=True)
def tilt_tangent(depth_mm, v, u, fx, fy):
    """Give the tangent of the angle between a surface and the image plane at a pixel with a reading.

    Along each axis the gentler of the two one-sided slopes counts, so that a jump in depth beside the pixel does not
    make its surface steep.
    """
    rows, columns = depth_mm.shape
    z = depth_mm[v, u]
    slope_u, slope_v = np.inf, np.inf
    if u > 0 and depth_mm[v, u - 1] > 0.0:
        slope_u = abs(z - depth_mm[v, u - 1])
    if u < columns - 1 and depth_mm[v, u + 1] > 0.0:
        slope_u = min(slope_u, abs(z - depth_mm[v, u + 1]))
    if v > 0 and depth_mm[v - 1, u] > 0.0:
        slope_v = abs(z - depth_mm[v - 1, u])
    if v < rows - 1 and depth_mm[v + 1, u] > 0.0:
        slope_v = min(slope_v, abs(z - depth_mm[v + 1, u]))
    # A pixel without neighbours along an axis says nothing of the slope along it.
    slope_u = 0.0 if slope_u == np.inf else slope_u * fx / z
    slope_v = 0.0 if slope_v == np.inf else slope_v * fy / z
    return np.sqrt(slope_u * slope_u + slope_v * slope_v)


def smooth_noise_map(
    key: int, origin: tuple[int, int], shape: tuple[int, int], cell_px: int
) -> NDArray[np.float32]:
    """Give `smooth_noise` over a window as an array.

    Args:
        key: See `noise_key`.
        origin: Column and row of the window's first pixel.
        shape: Rows and columns of the window.
        cell_px: Distance of the lattice's nodes.

    Returns:
        `shape`.
    """
    out = np.empty(shape, dtype=np.float32)
    smooth_noise(np.uint64(key), origin[0], origin[1], shape[0], shape[1], cell_px, out)
    return out
