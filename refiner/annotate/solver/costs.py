"""What a frame's joints cost: each term as a function of one joint, with its slope and curvature.

Terms of the paper (Oberweger et al. 2016, eq. 4 to 6) as penalties, all in units of (deviation)^2:

    click       |proj(L) - l|^2 / sigma^2                          where a person clicked
    depth       max(0, D + offset / 2 - z)^2 / sigma^2             every joint lies behind the surface,
                max(0, z - D - offset - eps)^2 / sigma^2           a visible one at most eps behind its usual depth,
                max(0, D + offset + hidden - z)^2 / sigma^2        and one that a person calls hidden at least so much
    nearer      max(0, margin - (z_b - z_a))^2 / sigma^2           where a person said that a is nearer than b
    range       max(0, z_0 - z, z - z_1)^2 / sigma^2               the depth is within a range given once
    appearance  w ds + w2 ds^2, ds = 1 - NCC(proj(L))              likeness to the same joint elsewhere
    outside     dist(proj(L), hand)^2 / sigma^2                    joints lie upon the silhouette
    anchor      |L - L0|^2 / sigma^2                               and near to where they are expected
    smooth      |L_n - L_(n-1)|^2 / sigma^2                        and near to where they were
    points      sum_p rho(n . (place on bone - where it should be) / sigma)  the hand's skin lies upon what is seen

and a weak pull of visible joints to D + offset, since between the two bounds the depth would be free. D is the depth
at proj(L), in a map whose gaps are filled from the nearest reading (see `surface`). Where that is farther away than the
joint is thick, it is of something else: D is unknown and asks nothing (`known_depth`). A click without a reading near
says where the joint is, and that the map has lost it; so it is not drawn to the silhouette either. Half the offset,
since it is a mean over views: of visible joints of rendered hands 1 % lie nearer, and the median lies at D + offset.
Squares of the depth and the silhouette go on straight (Huber), because a map that is wrong is wrong by much; so do
those of the way between frames, because a hand that is fast in some frames is slow in the most.

Curvatures are made positive semidefinite (Gauss-Newton for squares, clipped eigenvalues for the appearance), so that
the sum can be factorised.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.solver.terms import OUTSIDE_STEPS
from refiner.annotate.solver.unlike import unlike_cost


@numba.njit(nogil=True, cache=True)
def depth_at(surface, unit_mm, u, v):
    """Give depth and its slopes along u and v at a place in a filled map: bilinear, without slope between two surfaces.

    Outside the map the border's value holds.
    """
    rows, columns = surface.shape
    u, v = min(max(u, 0.0), columns - 1.001), min(max(v, 0.0), rows - 1.001)
    x, y = int(u), int(v)
    a, b = surface[y, x] * unit_mm, surface[y, x + 1] * unit_mm
    c, d = surface[y + 1, x] * unit_mm, surface[y + 1, x + 1] * unit_mm
    s, t = u - x, v - y
    value = (1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * c + s * d)
    if max(a, b, c, d) - min(a, b, c, d) > 10.0:
        return value, 0.0, 0.0
    return value, (1 - t) * (b - a) + t * (d - c), (1 - s) * (c - a) + s * (d - b)


@numba.njit(nogil=True, cache=True)
def reading_distance(terms, n, u, v):
    """Return the distance in pixels from (u, v) to the nearest reading of map n, with its slopes along u and v."""
    outside = terms.outside[n]
    distance, along_u, along_v = depth_at(outside, 1.0 / OUTSIDE_STEPS, u, v)
    beyond_u = max(-u, u - (outside.shape[1] - 1), 0.0)
    beyond_v = max(-v, v - (outside.shape[0] - 1), 0.0)
    if beyond_u > 0.0:
        distance += beyond_u
        along_u = -1.0 if u < 0 else 1.0
    if beyond_v > 0.0:
        distance += beyond_v
        along_v = -1.0 if v < 0 else 1.0
    return distance, along_u, along_v


@numba.njit(nogil=True, cache=True)
def known_depth(terms, n, k, u, v, z):
    """Return D at (u, v) as joint k of map n at depth z may take it, mm, with its slopes; 0 where D is unknown.

    D is unknown in a map without readings, and where the nearest reading is farther than the joint is thick: it is that
    of something else. The distance is that of the click where there is one (see `Terms.lost`).
    """
    if terms.lost[n, k]:
        return 0.0, 0.0, 0.0
    if terms.click[n, k] == 0:
        reach = max(terms.size_mm[n, k] * terms.camera[n, 0] / z, 1.0)
        if reading_distance(terms, n, u, v)[0] > reach:
            return 0.0, 0.0, 0.0
    return depth_at(terms.surface[n], terms.surface_unit_mm, u, v)


@numba.njit(nogil=True, cache=True)
def huber(deviation, sigma, knee):
    """Give (deviation / sigma)^2, straight beyond `knee` sigma, with its slope and a curvature for Gauss-Newton."""
    size, weight = abs(deviation), 1.0 / (sigma * sigma)
    if size <= knee * sigma:
        return weight * size * size, 2.0 * weight * deviation, 2.0 * weight
    bound = knee * sigma
    first = 2.0 * weight * bound
    return weight * bound * (2.0 * size - bound), first if deviation > 0.0 else -first, first / size


@numba.njit(nogil=True, cache=True)
def _image_terms(terms, weights, n, k, u, v, slope, curve):
    """Add what a joint costs by its pixel; `slope` (2,) and `curve` (2, 2) are added to."""
    cost = 0.0
    if terms.click[n, k] > 0:
        sigma = weights.visible_click_px if terms.click[n, k] == 2 else weights.occluded_click_px
        weight = 1.0 / (sigma * sigma)
        du, dv = u - terms.click_uv_px[n, k, 0], v - terms.click_uv_px[n, k, 1]
        cost += weight * (du * du + dv * dv)
        slope[0] += 2.0 * weight * du
        slope[1] += 2.0 * weight * dv
        curve[0, 0] += 2.0 * weight
        curve[1, 1] += 2.0 * weight
    if weights.outside_px > 0.0 and not terms.lost[n, k]:
        distance, along_u, along_v = reading_distance(terms, n, u, v)
        if distance > 0.0:
            value, first, second = huber(distance, weights.outside_px, 2.0)
            cost += value
            slope[0] += first * along_u
            slope[1] += first * along_v
            curve[0, 0] += second * along_u * along_u
            curve[0, 1] += second * along_u * along_v
            curve[1, 0] += second * along_u * along_v
            curve[1, 1] += second * along_v * along_v
    if terms.unlike.shape[2] > 0 and terms.unlike_uv_px[n, k, 0] >= 0:
        cost += unlike_cost(terms, weights, n, k, u, v, slope, curve)
    return cost


@numba.njit(nogil=True, cache=True)
def joint_cost(terms, weights, n, k, point, gradient, hessian):
    """Cost of joint k of frame n at a point (3,), mm; its gradient (3,) and curvature (3, 3) are added to."""
    x, y, z = point
    fx, fy, cx, cy = terms.camera[n]
    if z < 1.0:
        gradient[2] += 2.0 * (z - 1.0)
        hessian[2, 2] += 2.0
        return (z - 1.0) ** 2 + 1e6
    u, v = fx * x / z + cx, fy * y / z + cy
    along = np.zeros((2, 3))  # d(u, v) / d(point)
    along[0, 0], along[0, 2] = fx / z, -fx * x / (z * z)
    along[1, 1], along[1, 2] = fy / z, -fy * y / (z * z)
    slope, curve = np.zeros(2), np.zeros((2, 2))
    cost = _image_terms(terms, weights, n, k, u, v, slope, curve)
    for i in range(3):
        gradient[i] += slope[0] * along[0, i] + slope[1] * along[1, i]
        for j in range(3):
            for a in range(2):
                for b in range(2):
                    hessian[i, j] += along[a, i] * curve[a, b] * along[b, j]
    if weights.anchor_mm > 0.0:
        far = 0.0
        for i in range(3):
            far += (point[i] - terms.anchor_mm[n, k, i]) ** 2
        far = max(np.sqrt(far), 1e-9)
        value, a, b = huber(far, weights.anchor_mm, 2.0)
        cost += value
        for i in range(3):
            gradient[i] += a * (point[i] - terms.anchor_mm[n, k, i]) / far
            hessian[i, i] += b
    if weights.range_mm > 0.0:
        beyond = min(z - terms.range_mm[n, k, 0], 0.0) + max(z - terms.range_mm[n, k, 1], 0.0)
        if beyond != 0.0:
            value, a, b = huber(beyond, weights.range_mm, 5.0)
            cost += value
            gradient[2] += a
            hessian[2, 2] += b
    if weights.depth_mm <= 0.0:
        return cost
    surface, slope_u, slope_v = known_depth(terms, n, k, u, v, z)
    if surface <= 0.0:
        return cost
    behind = z - surface - terms.offset_mm[n, k]
    first = second = 0.0
    too_near = behind + 0.5 * terms.offset_mm[n, k]
    if too_near < 0.0:
        value, a, b = huber(too_near, weights.depth_mm, 5.0)
        cost, first, second = cost + value, first + a, second + b
    if terms.visible[n, k]:
        value, a, b = huber(behind, weights.pull_mm, 1.0)
        cost, first, second = cost + value, first + a, second + b
        if behind > weights.eps_mm:
            value, a, b = huber(behind - weights.eps_mm, weights.depth_mm, 5.0)
            cost, first, second = cost + value, first + a, second + b
    elif terms.click[n, k] == 1 and behind < weights.hidden_mm:
        value, a, b = huber(behind - weights.hidden_mm, weights.occluded_mm, 1.0)
        cost, first, second = cost + value, first + a, second + b
    if second > 0.0:
        normal = np.empty(3)
        for i in range(3):
            normal[i] = (1.0 if i == 2 else 0.0) - slope_u * along[0, i] - slope_v * along[1, i]
        for i in range(3):
            gradient[i] += first * normal[i]
            for j in range(3):
                hessian[i, j] += second * normal[i] * normal[j]
    return cost


class BoneSums(NamedTuple):
    """Slopes and curvatures of the terms of points on bones, for each bone by its outer joint.

    A point at the share t of bone k moves with the bones above k as joint k's parent does, and t times as far as joint
    k with bone k itself.

    Attributes:
        gradient: (J, 3) sum of t times the slopes.
        mixed: (J, 3, 3) sum of t times the curvatures.
        hessian: (J, 3, 3) sum of t^2 times the curvatures.
    """

    gradient: NDArray[np.float64]
    mixed: NDArray[np.float64]
    hessian: NDArray[np.float64]


@numba.njit(nogil=True, cache=True)
def points_cost(tree, terms, weights, n, joints, gradient, hessian, bones):
    """Cost of the seen points of frame n; slopes and curvatures are added to the joints' and to `bones`."""
    cost = 0.0
    weight = 1.0 / weights.points_mm**2
    for m in range(terms.point_bone.shape[1]):
        k = terms.point_bone[n, m]
        if k < 0:
            break
        t, parent, normal = terms.point_share[n, m], tree.parents[k], terms.point_normal[n, m]
        off = 0.0
        for i in range(3):
            place = joints[parent, i] + t * (joints[k, i] - joints[parent, i])
            off += normal[i] * (place - terms.point_mm[n, m, i])
        square = weight * off * off
        damped = 1.0 / (1.0 + square / 9.0)
        cost += square * damped
        first, second = 2.0 * weight * off * damped * damped, 2.0 * weight * damped * damped
        for i in range(3):
            slope = first * normal[i]
            gradient[parent, i] += slope
            bones.gradient[k, i] += t * slope
            for j in range(3):
                curve = second * normal[i] * normal[j]
                hessian[parent, i, j] += curve
                bones.mixed[k, i, j] += t * curve
                bones.hessian[k, i, j] += t * t * curve
    return cost
