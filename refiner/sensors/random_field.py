"""Random numbers that depend on nothing but a key and a place: noise of the same bytes whatever draws it, and when.

Each number is a hash of (key, column, row) in the camera's own pixels, so noise does not depend on the window either.
The hash is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014). `smooth_noise` is normal noise that is correlated over some pixels, as depth cameras give it: they match or
filter over windows.
"""

import numba
import numpy as np

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
    """Return a number in [0, 1)."""
    return np.float64(_bits(key, column, row) >> _11) * _TO_UNIT


@numba.njit(nogil=True, cache=True)
def normal(key, column, row):
    """Return a number of mean 0 and variance 1: the sum of four uniforms, normal to the eye, never beyond 3.5."""
    bits = _bits(key, column, row)
    total = (bits & _LOW16) + ((bits >> _16) & _LOW16) + ((bits >> _32) & _LOW16) + (bits >> _48)
    return (np.float64(total) - _SUM_MEAN) * _SUM_SCALE


@numba.njit(nogil=True, cache=True)
def node_rows(columns, cell):
    """Return the `nodes` of `smooth_noise` before the first row: two rows of nodes, number of the first, weights."""
    nodes = np.empty((5, max(columns, cell, 1)), dtype=np.float32)
    nodes[2, 0] = -1.0
    for phase in range(cell):
        share = phase / cell
        # Weights whose squares sum to 1: else noise would fade between the nodes.
        scale = 1.0 / np.sqrt(share * share + (1.0 - share) * (1.0 - share))
        nodes[3, phase], nodes[4, phase] = (1.0 - share) * scale, share * scale
    return nodes


@numba.njit(nogil=True, cache=True)
def _expand(key, column, node_row, cell, columns, nodes, out):
    """Write one row of lattice nodes, interpolated along the row."""
    node, phase = column // cell, column % cell
    left, right = np.float32(normal(key, node, node_row)), np.float32(normal(key, node + 1, node_row))
    for u in range(columns):
        out[u] = nodes[3, phase] * left + nodes[4, phase] * right
        phase += 1
        if phase == cell:
            phase = 0
            node += 1
            left, right = right, np.float32(normal(key, node + 1, node_row))


@numba.njit(nogil=True, cache=True)
def smooth_noise(key, column, row, cell, nodes, out):
    """Write a row of normal noise of variance 1, correlated over about `cell` pixels: linear between lattice nodes.

    Args:
        key: Of the noise.
        column: Of the row's first pixel in the camera's image, px.
        row: Of the row in the camera's image, px; rows are asked for downwards.
        cell: Distance of the nodes, whole px; 1 gives white noise.
        nodes: From `node_rows`, kept between the rows by the caller.
        out: Written, (columns,) float32.
    """
    at, phase = row // cell, row % cell
    if nodes[2, 0] != at:
        if nodes[2, 0] >= 0.0 and nodes[2, 0] == at - 1:
            nodes[0] = nodes[1]
        else:
            _expand(key, column, at, cell, out.size, nodes, nodes[0])
        _expand(key, column, at + 1, cell, out.size, nodes, nodes[1])
        nodes[2, 0] = at
    upper, lower = nodes[3, phase], nodes[4, phase]
    for u in range(out.size):
        out[u] = upper * nodes[0, u] + lower * nodes[1, u]


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
def slope(values, v, u):
    """Return the difference per pixel along both axes, at a pixel inside a framed map: along u, along v.

    Along each axis the gentler of the two one-sided differences counts, so that a jump beside the pixel does not make
    its surface steep; what is one pixel thin is steep.
    """
    here = values[v, u]
    return (
        min(abs(here - values[v, u - 1]), abs(here - values[v, u + 1])),
        min(abs(here - values[v - 1, u]), abs(here - values[v + 1, u])),
    )
