"""Labels of the shipped sequence as a careful person gives them, and the ways in which they go wrong."""

from dataclasses import replace

import numpy as np
from shipped_sequence import STORE

from refiner.annotate.simulate import labels_of_truth
from refiner.datasets.store import DepthStore
from refiner.hand.skeleton import HAND21

SIZE = 128
FRAMES = tuple(range(0, 60, 6))
TIPS = [HAND21.joints.index(f"{finger}_tip") for finger in ("index", "middle", "ring", "little")]


def careful(noise_px=0.0, seed=0, frames=FRAMES, store=STORE):
    return labels_of_truth(DepthStore(store), frames, noise_px, seed)


def at_the_corner(labels, joints=(4, 8, 12)):
    """Joints without a label written as 0, 0, visible."""
    uv_px, flag = labels.uv_px.copy(), labels.flag.copy()
    uv_px[list(joints)], flag[list(joints)] = 0.0, 2
    return replace(labels, uv_px=uv_px, flag=flag)


def persisting(labels, joints=tuple(TIPS)):
    """Joints that stay where they were in the first image, in all that follow."""
    found = [labels[0]]
    for one in labels[1:]:
        uv_px, flag = one.uv_px.copy(), one.flag.copy()
        uv_px[list(joints)], flag[list(joints)] = found[0].uv_px[list(joints)], found[0].flag[list(joints)]
        found.append(replace(one, uv_px=uv_px, flag=flag))
    return found


def transposed(labels):
    return replace(labels, uv_px=labels.uv_px[:, ::-1])


def mirrored(labels):
    return replace(labels, uv_px=np.column_stack([SIZE - 1 - labels.uv_px[:, 0], labels.uv_px[:, 1]]))


def upside_down(labels):
    return replace(labels, uv_px=np.column_stack([labels.uv_px[:, 0], SIZE - 1 - labels.uv_px[:, 1]]))


def fingers_reversed(labels):
    order = [0, 1, 2, 3, 4, 17, 18, 19, 20, 13, 14, 15, 16, 9, 10, 11, 12, 5, 6, 7, 8]
    return replace(labels, uv_px=labels.uv_px[order], flag=labels.flag[order])


def of_frames_later(shift, **how):
    """Labels of frames that are so many later, under the numbers of these."""
    frames = [frame + shift for frame in FRAMES if frame + shift < 60]
    return [replace(one, frame=one.frame - shift) for one in careful(frames=frames, **how)]
