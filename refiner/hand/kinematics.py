"""Compiled kernels: shape blend, forward kinematics and linear blend skinning of one hand at a time.

Bones (17): 0 palm, 1 forearm, then three for each digit from thumb to little finger. A bone has a frame of columns
x (flexion axis), y (along the bone, outwards), z = x cross y (pad side). Its rest frame comes from the shaped rest
joints, its posed frame from angles alone; the vertices follow `posed @ rest.T` about the bone's first joint. So
joints and mesh are moved by the same matrices, and angles are absolute: zero is straight for every shape.

All items are independent and use no shared state: the same bytes come out whatever the batch or thread.
"""

import numba
import numpy as np

BONE_HEAD = np.array([0, 0] + [1 + 4 * k + j for k in range(5) for j in range(3)])
"""Joint (17,) about which each bone turns."""


@numba.njit(nogil=True, cache=True)
def rotate_x(frame, angle, out):
    """Write `frame @ Rx(angle)` to `out`: turn about the frame's own first axis; positive flexes (y towards z)."""
    c, s = np.cos(angle), np.sin(angle)
    for i in range(3):
        y, z = frame[i, 1], frame[i, 2]
        out[i, 0] = frame[i, 0]
        out[i, 1] = c * y + s * z
        out[i, 2] = c * z - s * y


@numba.njit(nogil=True, cache=True)
def rotate_z(frame, angle, out):
    """Write `frame @ Rz(angle)` to `out`: positive turns y towards -x."""
    c, s = np.cos(angle), np.sin(angle)
    for i in range(3):
        x, y = frame[i, 0], frame[i, 1]
        out[i, 0] = c * x + s * y
        out[i, 1] = c * y - s * x
        out[i, 2] = frame[i, 2]


@numba.njit(nogil=True, cache=True)
def rotate_y(frame, angle, out):
    """Write `frame @ Ry(angle)` to `out`: twist about the bone; positive turns z towards x."""
    c, s = np.cos(angle), np.sin(angle)
    for i in range(3):
        x, z = frame[i, 0], frame[i, 2]
        out[i, 0] = c * x - s * z
        out[i, 1] = frame[i, 1]
        out[i, 2] = c * z + s * x


@numba.njit(nogil=True, cache=True)
def rotation_matrix(vector, out):
    """Write the matrix of a rotation vector (Rodrigues; series below 1e-6 rad) to `out`."""
    x, y, z = vector[0], vector[1], vector[2]
    squared = x * x + y * y + z * z
    angle = np.sqrt(squared)
    if angle < 1e-6:
        a, b = 1.0 - squared / 6.0, 0.5 - squared / 24.0
    else:
        a, b = np.sin(angle) / angle, (1.0 - np.cos(angle)) / squared
    out[0, 0], out[0, 1], out[0, 2] = 1.0 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    out[1, 0], out[1, 1], out[1, 2] = b * x * y + a * z, 1.0 - b * (x * x + z * z), b * y * z - a * x
    out[2, 0], out[2, 1], out[2, 2] = b * x * z - a * y, b * y * z + a * x, 1.0 - b * (x * x + y * y)


@numba.njit(nogil=True, cache=True)
def rest_frame(axis, head, tail, out):
    """Write the frame of a bone at rest to `out` and return its length: y along it, x nearest to `axis`."""
    length = 0.0
    for i in range(3):
        out[i, 1] = tail[i] - head[i]
        length += out[i, 1] * out[i, 1]
    length = np.sqrt(length)
    along = 0.0
    for i in range(3):
        out[i, 1] /= length
        along += axis[i] * out[i, 1]
    norm = 0.0
    for i in range(3):
        out[i, 0] = axis[i] - along * out[i, 1]
        norm += out[i, 0] * out[i, 0]
    norm = np.sqrt(norm)
    for i in range(3):
        out[i, 0] /= norm
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        out[i, 2] = out[j, 0] * out[k, 1] - out[k, 0] * out[j, 1]
    return length


@numba.njit(nogil=True, cache=True)
def shape_points(template, directions, shape, out):
    """Write `(1 + shape[0]) * (template + sum_k shape[1 + k] directions[k])`, all flat, to `out`."""
    size = template.dtype.type(1.0 + shape[0])
    out[:] = template
    for k in range(directions.shape[0]):
        amount = template.dtype.type(shape[1 + k])
        if amount != 0.0:
            direction = directions[k]
            for i in range(out.size):
                out[i] += amount * direction[i]
    for i in range(out.size):
        out[i] *= size


@numba.njit(nogil=True, cache=True)
def move_bones(pose, rest, rest_axis, flat_frame, bones, joints):
    """Forward kinematics of one right hand in the hand frame.

    Args:
        pose: Angles (23,) in radians, in the order of `POSE_NAMES` without the global rotation.
        rest: Shaped rest joints (21, 3) in mm.
        rest_axis: Flexion axes (5, 3) of the digits at rest.
        flat_frame: Frames (5, 3, 3) of the digits' first bones when all angles are 0.
        bones: Written: (17, 3, 4), each [rotation | translation], from rest points to posed points.
        joints: Written: posed joints (21, 3) in mm.
    """
    frame, turned, resting = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    bones[:2] = 0.0
    for i in range(3):
        bones[0, i, i] = 1.0
        frame[i, :] = 0.0
        frame[i, i] = 1.0
        joints[0, i] = rest[0, i]
    rotate_x(frame, -pose[0], turned)
    rotate_z(turned, -pose[1], frame)
    bones[1, :, :3] = frame  # the wrist, about which the forearm turns, is the origin for every shape
    for digit in range(5):
        first = 1 + 4 * digit
        thumb = digit == 0
        if thumb:
            flexion, abduction, second, third = pose[2], pose[3], pose[5], pose[6]
        else:
            at = 7 + 4 * (digit - 1)
            flexion, abduction, second, third = pose[at], pose[at + 1], pose[at + 2], pose[at + 3]
        # Abduction leads away from the middle finger: towards x for thumb and index, and for the middle finger itself.
        rotate_x(flat_frame[digit], flexion, turned)
        rotate_z(turned, abduction if digit > 2 else -abduction, frame)
        if thumb:
            turned[:] = frame
            rotate_y(turned, -pose[4], frame)  # positive pronates: the pad turns towards the palm
        for i in range(3):
            joints[first, i] = rest[first, i]
        for j in range(3):
            bone = bones[2 + 3 * digit + j]
            head, tail = first + j, first + j + 1
            if j > 0:
                turned[:] = frame
                rotate_x(turned, second if j == 1 else third, frame)
            length = rest_frame(rest_axis[digit], rest[head], rest[tail], resting)
            for i in range(3):
                shift = joints[head, i]
                for k in range(3):
                    value = 0.0
                    for m in range(3):
                        value += frame[i, m] * resting[k, m]
                    bone[i, k] = value
                    shift -= value * rest[head, k]
                bone[i, 3] = shift
                joints[tail, i] = joints[head, i] + length * frame[i, 1]


@numba.njit(nogil=True, cache=True)
def skin(points, start, bone, weight, bones, out):
    """Linear blend skinning: `out[v] = sum_b weight (R_b points[v] + t_b)`; sparse rows `start[v]:start[v + 1]`."""
    for v in range(points.shape[0]):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        a = b = c = np.float32(0.0)
        for e in range(start[v], start[v + 1]):
            m, w = bones[bone[e]], weight[e]
            a += w * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
            b += w * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
            c += w * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        out[v, 0], out[v, 1], out[v, 2] = a, b, c


@numba.njit(nogil=True, cache=True)
def pose_batch(
    pose, shape, side, template, directions, joints_rest, joints_by, rest_axis, flat_frame, start, bone, weight,
    vertices_out, joints_out,
):  # fmt: skip
    """Pose N hands: see `refiner.hand.model.pose_hands`, which prepares the arguments.

    An empty `template` skips the mesh and leaves `vertices_out` alone.
    """
    rest, joints = np.empty((21, 3)), np.empty((21, 3))
    bones, turned = np.empty((17, 3, 4)), np.empty((17, 3, 4), dtype=np.float32)
    camera_from_hand = np.empty((3, 3))
    shaped = np.empty_like(template)
    for n in range(pose.shape[0]):
        shape_points(joints_rest, joints_by, shape[n], rest.reshape(-1))
        move_bones(pose[n, 3:], rest, rest_axis, flat_frame, bones, joints)
        rotation_matrix(pose[n, :3], camera_from_hand)
        if side[n] == 1:  # the mirror comes before the rotation
            for i in range(3):
                camera_from_hand[i, 0] = -camera_from_hand[i, 0]
        for i in range(3):
            for j in range(21):
                joints_out[n, j, i] = (
                    camera_from_hand[i, 0] * joints[j, 0]
                    + camera_from_hand[i, 1] * joints[j, 1]
                    + camera_from_hand[i, 2] * joints[j, 2]
                )
            for b in range(17):
                for k in range(4):
                    turned[b, i, k] = (
                        camera_from_hand[i, 0] * bones[b, 0, k]
                        + camera_from_hand[i, 1] * bones[b, 1, k]
                        + camera_from_hand[i, 2] * bones[b, 2, k]
                    )
        if template.size:
            shape_points(template, directions, shape[n], shaped)
            skin(shaped.reshape(-1, 3), start, bone, weight, turned, vertices_out[n])
