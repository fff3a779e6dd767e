"""Compiled kernels: the joints of a hand with their derivatives by place, angles and shape.

Columns of the Jacobian: 0-2 the wrist's place, 3-5 a turn about the camera's axes, then the 21 angles (the pose without
`camera_from_hand` and the wrist's two, which move no joint), then the shape parameters that move joints.
"""

import numba
import numpy as np

from refiner.hand.kinematics import rotate_x, rotate_y, rotate_z, shape_points

MOVES = 27
"""Columns before those of the shape."""


@numba.njit(nogil=True, cache=True)
def pose_angles(angles, rest, flat_frame, joints, axes, along):
    """Pose a right hand in the hand frame, and give what its derivatives need.

    Args:
        angles: (21,).
        rest: Shaped rest joints (21, 3).
        flat_frame: (5, 3, 3).
        joints: Written: (21, 3).
        axes: Written: (21, 3), the axis that each angle turns about.
        along: Written: (15, 3), direction of each bone.
    """
    frame, turned = np.empty((3, 3)), np.empty((3, 3))
    joints[0] = rest[0]
    for digit in range(5):
        first, at = 1 + 4 * digit, (0 if digit == 0 else 1 + 4 * digit)
        sign = 1.0 if digit > 2 else -1.0
        axes[at] = flat_frame[digit][:, 0]
        rotate_x(flat_frame[digit], angles[at], turned)
        axes[at + 1] = sign * turned[:, 2]
        rotate_z(turned, sign * angles[at + 1], frame)
        bend = at + 2
        if digit == 0:
            axes[2] = -frame[:, 1]
            turned[:] = frame
            rotate_y(turned, -angles[2], frame)
            bend = 3
        joints[first] = rest[first]
        for j in range(3):
            if j > 0:
                axes[bend + j - 1] = frame[:, 0]
                turned[:] = frame
                rotate_x(turned, angles[bend + j - 1], frame)
            squared = 0.0
            for i in range(3):
                squared += (rest[first + j + 1, i] - rest[first + j, i]) ** 2
            along[3 * digit + j] = frame[:, 1]
            joints[first + j + 1] = joints[first + j] + np.sqrt(squared) * frame[:, 1]


@numba.njit(nogil=True, cache=True)
def pose_angles_batch(angles, shape, rest_joints, directions, flat_frame, out):
    """Write the joints (n, 21, 3) of right hands in the hand frame."""
    rest, axes, along = np.empty((21, 3)), np.empty((21, 3)), np.empty((15, 3))
    for n in range(len(angles)):
        shape_points(rest_joints, directions, shape[n], rest.reshape(-1))
        pose_angles(angles[n], rest, flat_frame, out[n], axes, along)


@numba.njit(nogil=True, cache=True)
def place_joints(rotation, wrist, mirror, points, out):
    """Move points from the hand frame to the camera's; `mirror` is -1 for left hands, else 1."""
    for k in range(len(points)):
        x, y, z = mirror * points[k, 0], points[k, 1], points[k, 2]
        for i in range(3):
            out[k, i] = rotation[i, 0] * x + rotation[i, 1] * y + rotation[i, 2] * z + wrist[i]


@numba.njit(nogil=True, cache=True)
def columns_of(joint, count, columns):
    """Write the columns that move a joint, beside the last `count` of the shape; give their number."""
    for k in range(6):
        columns[k] = k
    used = 6
    if joint > 0:
        digit, step = (joint - 1) // 4, (joint - 1) % 4
        at = 6 + (0 if digit == 0 else 1 + 4 * digit)
        first = 3 if digit == 0 else 2
        turning = 0 if step == 0 else first + step - 1
        for k in range(turning):
            columns[used] = at + k
            used += 1
    for k in range(count):
        columns[used] = MOVES + k
        used += 1
    return used


@numba.njit(nogil=True, cache=True)
def joint_jacobian(joint, rotation, wrist, mirror, shape, rest, directions, active, joints, axes, along, placed,
                   columns, used, out):  # fmt: skip
    """Write the rows (3, used) of one joint: its derivatives by its columns."""
    digit = (joint - 1) // 4
    first = 1 + 4 * digit
    at = 6 + (0 if digit == 0 else 1 + 4 * digit)
    size = 1.0 + shape[0]
    a, b = np.empty(3), np.empty(3)
    for c in range(used):
        column = columns[c]
        if column < 6:
            a[:] = 0.0
            if column < 3:
                a[column] = 1.0
            else:
                i, j, k = column - 3, (column - 2) % 3, (column - 1) % 3
                a[k] = placed[joint, j] - wrist[j]
                a[j] = -(placed[joint, k] - wrist[k])
            out[:, c] = a
            continue
        if column < MOVES:
            angle = column - at
            # The angles before the last two turn about the digit's first joint.
            pivot = first + max(0, angle - (2 if digit == 0 else 1))
            axis = axes[column - 6]
            b[:] = joints[joint] - joints[pivot]
            a[0] = axis[1] * b[2] - axis[2] * b[1]
            a[1] = axis[2] * b[0] - axis[0] * b[2]
            a[2] = axis[0] * b[1] - axis[1] * b[0]
        else:
            parameter = active[column - MOVES]
            # Rest joints are size * (template + sum of directions).
            for i in range(3):
                if joint == 0:
                    a[i] = rest[i] / size if parameter == 0 else size * directions[parameter - 1, i]
                elif parameter == 0:
                    a[i] = rest[3 * first + i] / size
                else:
                    a[i] = size * directions[parameter - 1, 3 * first + i]
            if joint > 0:
                for bone in range(joint - first):
                    head = 3 * (first + bone)
                    squared, change = 0.0, 0.0
                    for i in range(3):
                        span = rest[head + 3 + i] - rest[head + i]
                        squared += span * span
                        if parameter > 0:
                            grows = directions[parameter - 1, head + 3 + i] - directions[parameter - 1, head + i]
                            change += span * grows * size
                    length = np.sqrt(squared)
                    growth = length / size if parameter == 0 else change / length
                    for i in range(3):
                        a[i] += growth * along[3 * digit + bone, i]
        for i in range(3):
            out[i, c] = rotation[i, 0] * mirror * a[0] + rotation[i, 1] * a[1] + rotation[i, 2] * a[2]
