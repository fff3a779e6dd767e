"""Take a depth map apart: what of it is the hand with its arm.

The map is sampled on a grid of about 5 mm. What lies up to 160 mm behind the nearest surface falls into connected
parts; parts too small or too thick for a hand with its arm (torso, head, wall) are dropped, and of the others one is
taken. All lengths suit an adult's hand; `scale` stretches them.
"""

import math

import numba
import numpy as np

CELL_MM = 5.0
FARTHEST_MM = 8192
NEAREST_AREA_MM2 = 400.0
"""So much surface may lie nearer than the nearest surface: flying pixels do not move it."""
SLABS_MM = (160.0, 110.0, 75.0)
"""Depth searched behind the nearest surface; a thinner slab is tried where a thicker one holds only a body."""
SURFACE_STEP_MM = 25.0
"""Neighbouring cells further apart in depth are not connected (5 to 1 on the grid: a tilt of 79 degrees)."""
MIN_AREA_MM2, ENOUGH_AREA_MM2 = 1500.0, 12000.0
"""Less is no hand; more makes it no likelier: of two that have enough, the nearer is taken."""
MIN_RADIUS_MM, MAX_RADIUS_MM = 9.0, 68.0
"""Bounds of the largest disc inside the part: a hand seen edge-on; an arm in a thick sleeve (a head has about 75)."""
REACH_MM = 240.0
"""How far behind the searched slab `running_on` looks."""
OTHER_AREA_MM2 = 4000.0
"""Another part with this much surface may be another hand: a fist seen from the front has 5,000."""


@numba.njit(nogil=True, cache=True)
def hand_points(depth_mm, fx, fy, cx, cy, near, far, scale):
    """Find the points of the hand and its arm.

    Args:
        depth_mm: (H, W) float32, 0 = no reading.
        fx: Focal length along u, px.
        fy: Focal length along v, px.
        cx: Principal point along u, px.
        cy: Principal point along v, px.
        near: Only readings farther than this are looked at, millimetres.
        far: Only readings nearer than this are.
        scale: Length of the hand relative to an adult's.

    Returns:
        (K, 4) x, y, z and distance to the outline, millimetres, none where there is no hand; (K,) where an arm may
        leave; number of other parts of a hand's size; how far behind the nearest surface the hand begins, millimetres.
    """
    nothing = np.empty((0, 4)), np.empty(0, dtype=np.bool_), 0, 0.0
    first = _nearest_surface(depth_mm, fx, fy, near, far, scale)
    if first < 0:
        return nothing
    focal = math.sqrt(fx * fy)
    stride = max(1, round(scale * CELL_MM * focal / first))
    cells = _sample(depth_mm, stride, near, min(first + scale * (SLABS_MM[0] + SURFACE_STEP_MM), far))
    outline = np.empty_like(cells)
    for slab in SLABS_MM:
        limit = first + scale * slab
        labels, count = _connected_parts(cells, limit, scale * SURFACE_STEP_MM)
        _distance_to_outline(labels, outline)
        part, others = _choose_part(cells, labels, outline, count, stride, focal, first, scale)
        if part > 0:
            points, leaves = _points_of_part(cells, labels, outline, part, stride, fx, fy, cx, cy, limit, scale)
            return points, leaves, others, points[:, 2].min() - first
    return nothing


@numba.njit(nogil=True, cache=True)
def running_on(depth_mm, fx, fy, cx, cy, scale):
    """Return how many times the area of the hand is what it is connected to within `REACH_MM` behind it; 1 where none.

    Args:
        depth_mm: (H, W) float32, 0 = no reading.
        fx: Focal length along u, px.
        fy: Focal length along v, px.
        cx: Principal point along u, px.
        cy: Principal point along v, px.
        scale: Length of the hand relative to an adult's.
    """
    points, _, _, behind = hand_points(depth_mm, fx, fy, cx, cy, 0.0, FARTHEST_MM, scale)
    if len(points) == 0:
        return 1.0
    first = points[:, 2].min() - behind
    stride = max(1, round(scale * CELL_MM * math.sqrt(fx * fy) / first))
    limit = first + scale * (SLABS_MM[0] + REACH_MM)
    labels, count = _connected_parts(_sample(depth_mm, stride, 0.0, limit), limit, scale * SURFACE_STEP_MM)
    votes, cells = np.zeros(count + 1, dtype=np.int64), np.zeros(count + 1, dtype=np.int64)
    for n in range(len(points)):
        i = round((points[n, 1] * fy / points[n, 2] + cy - stride // 2) / stride) + 1
        j = round((points[n, 0] * fx / points[n, 2] + cx - stride // 2) / stride) + 1
        votes[labels[i, j]] += 1
    for label in labels.ravel():
        cells[label] += 1
    return cells[votes[1:].argmax() + 1] / len(points)


@numba.njit(nogil=True, cache=True)
def _nearest_surface(depth_mm, fx, fy, near, far, scale):
    """Depth that NEAREST_AREA_MM2 of surface falls short of, or -1."""
    rows, columns = depth_mm.shape
    # The stride that gives cells of 5 mm at 600 mm.
    stride = max(1, round(scale * CELL_MM * math.sqrt(fx * fy) / 600.0))
    area = np.zeros(FARTHEST_MM)
    for v in range(stride // 2, rows, stride):
        for u in range(stride // 2, columns, stride):
            z = depth_mm[v, u]
            if z > near and z < far and z < FARTHEST_MM:
                area[int(z)] += z * z
    wanted = scale * scale * NEAREST_AREA_MM2 * fx * fy / (stride * stride)
    total = 0.0
    for k in range(FARTHEST_MM):
        total += area[k]
        if total >= wanted:
            return float(k)
    return -1.0


@numba.njit(nogil=True, cache=True)
def _sample(depth_mm, stride, near, far):
    """One reading for each stride x stride cell: its middle pixel, else one beside it; a rim of zeros around all."""
    rows, columns = depth_mm.shape
    cells = np.zeros(((rows + stride - 1) // stride + 2, (columns + stride - 1) // stride + 2), dtype=np.float32)
    beside = max(1, stride // 3)
    for i in range(1, cells.shape[0] - 1):
        v = min((i - 1) * stride + stride // 2, rows - 1)
        for j in range(1, cells.shape[1] - 1):
            u = min((j - 1) * stride + stride // 2, columns - 1)
            z = depth_mm[v, u]
            if z <= 0 and u >= beside:
                z = depth_mm[v, u - beside]
            if z <= 0 and v >= beside:
                z = depth_mm[v - beside, u]
            if z > near and z < far:
                cells[i, j] = z
    return cells


@numba.njit(nogil=True, cache=True)
def _connected_parts(cells, limit, step_mm):
    """Number the parts of cells nearer than the limit, joined over edges where the depth steps little; from 1 on."""
    rows, columns = cells.shape
    labels = np.zeros((rows, columns), dtype=np.int32)
    stack = np.empty(rows * columns, dtype=np.int32)
    flat, marks = cells.ravel(), labels.ravel()
    count = 0
    for start in range(flat.size):
        if flat[start] <= 0 or flat[start] > limit or marks[start] > 0:
            continue
        count += 1
        marks[start] = count
        stack[0], top = start, 1
        while top > 0:
            top -= 1
            here = stack[top]
            for offset in (1, -1, columns, -columns):
                there = here + offset
                z = flat[there]
                if z > 0 and z <= limit and marks[there] == 0 and abs(z - flat[here]) <= step_mm:
                    marks[there] = count
                    stack[top] = there
                    top += 1
    return labels, count


@numba.njit(nogil=True, cache=True)
def _distance_to_outline(labels, distance):
    """Chamfer (1, 1.4) distance in cells from each cell to the nearest one of another label; 0 outside all parts."""
    rows, columns = labels.shape
    for backward in range(2):
        for n in range(1, rows - 1):
            i = rows - 1 - n if backward else n
            before = i + 1 if backward else i - 1
            for m in range(1, columns - 1):
                j = columns - 1 - m if backward else m
                label = labels[i, j]
                if label == 0:
                    distance[i, j] = 0.0
                    continue
                d = distance[i, j] if backward else np.float32(1e6)
                side = j + 1 if backward else j - 1
                d = min(d, distance[i, side] + 1.0 if labels[i, side] == label else 1.0)
                d = min(d, distance[before, j] + 1.0 if labels[before, j] == label else 1.0)
                d = min(d, distance[before, j - 1] + 1.4 if labels[before, j - 1] == label else 1.4)
                d = min(d, distance[before, j + 1] + 1.4 if labels[before, j + 1] == label else 1.4)
                distance[i, j] = d


@numba.njit(nogil=True, cache=True)
def _choose_part(cells, labels, outline, count, stride, focal, first, scale):
    """The part most like a hand, or 0: of bounded thickness, large enough, near. And how many others might be one."""
    area, radius, depth = np.zeros(count + 1), np.zeros(count + 1), np.zeros(count + 1)
    for i in range(1, cells.shape[0] - 1):
        for j in range(1, cells.shape[1] - 1):
            part = labels[i, j]
            if part > 0:
                side = stride * cells[i, j] / focal
                area[part] += side * side
                depth[part] += side * side * cells[i, j]
                radius[part] = max(radius[part], outline[i, j] * side)
    best, best_score, hands = 0, 0.0, 0
    for part in range(1, count + 1):
        if area[part] < scale * scale * MIN_AREA_MM2:
            continue
        if radius[part] < scale * MIN_RADIUS_MM or radius[part] > scale * MAX_RADIUS_MM:
            continue
        hands += area[part] > scale * scale * OTHER_AREA_MM2
        size = min(area[part] / (scale * scale * ENOUGH_AREA_MM2), 1.0)
        score = size * math.exp(-(depth[part] / area[part] - first) / (scale * SLABS_MM[0]))
        if score > best_score:
            best, best_score = part, score
    return best, hands - (best > 0 and area[best] > scale * scale * OTHER_AREA_MM2)


@numba.njit(nogil=True, cache=True)
def _points_of_part(cells, labels, outline, part, stride, fx, fy, cx, cy, limit, scale):
    """The part's cells as rows x, y, z, distance to outline (mm), and whether each is where an arm may leave."""
    rows, columns = cells.shape
    total = 0
    for i in range(1, rows - 1):
        for j in range(1, columns - 1):
            total += labels[i, j] == part
    points, leaves = np.empty((total, 4)), np.zeros(total, dtype=np.bool_)
    focal = math.sqrt(fx * fy)
    n = 0
    for i in range(1, rows - 1):
        for j in range(1, columns - 1):
            if labels[i, j] != part:
                continue
            z = cells[i, j]
            points[n, 0] = ((j - 1) * stride + stride // 2 - cx) * z / fx
            points[n, 1] = ((i - 1) * stride + stride // 2 - cy) * z / fy
            points[n, 2] = z
            points[n, 3] = outline[i, j] * stride * z / focal
            leaves[n] = i == 1 or j == 1 or i == rows - 2 or j == columns - 2
            for di, dj in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                beyond = cells[i + di, j + dj]
                leaves[n] |= beyond > limit and beyond - z <= scale * SURFACE_STEP_MM
            n += 1
    return points, leaves
