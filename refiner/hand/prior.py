"""What poses hands take: a mixture of ways to hold the fingers, as pure functions of uniform numbers.

Angles are in degrees here, (N, 23) in the order of `POSE_NAMES` without the global rotation. The thumb's and the
pinches' numbers were found by closing the pads of the mean hand on each other, on the fist or on the palm by least
squares, and then looked at. Couplings: the DIP joint follows the PIP joint at two thirds (the usual figure for the
tendons that drive both, Rijpkema and Girard, SIGGRAPH 1991), neighbouring fingers move together, and a bent MCP joint
hardly spreads (its collateral ligaments are then tight).
"""

import numpy as np
from scipy.special import ndtr, ndtri

COMPONENTS = ("coverage", "grasp", "fist", "flat", "sign", "pinch")
"""Anything within reach; closing round an object; fists; open hands; counting and signs; thumb against a fingertip."""

KIND_DRAWS, POSE_DRAWS = 3, 64
"""Uniform numbers that the choice of components and one pose take."""

THUMBS = {  # CMC flexion, abduction, twist, MCP flexion, IP flexion
    "relaxed": (15.0, 25.0, 15.0, 10.0, 15.0),
    "extended": (-12.0, 5.0, 0.0, -3.0, -5.0),
    "beside": (13.0, -8.0, 1.0, 18.0, 20.0),
    "on_index_side": (23.0, 20.0, 10.0, 11.0, 45.0),
    "key": (29.0, 20.0, 28.0, 16.0, -3.0),
    "over_fist": (50.0, 43.0, 57.0, 38.0, 8.0),
    "on_ring": (58.0, 27.0, 46.0, 23.0, 18.0),
    "on_little": (60.0, 24.0, 32.0, 44.0, -2.0),
    "in_palm": (54.0, 25.0, 50.0, 52.0, 50.0),
}

PINCHES = np.array(  # thumb as above, then MCP flexion and abduction, PIP and DIP flexion of the finger it meets
    [
        [48.0, 33.0, 58.0, -3.0, -4.0, 70.0, 2.0, 39.0, 2.0],
        [60.0, 38.0, 60.0, 2.0, -4.0, 84.0, 7.0, 26.0, 2.0],
        [60.0, 47.0, 54.0, 31.0, -4.0, 84.0, -9.0, 23.0, 2.0],
        [60.0, 40.0, 36.0, 42.0, -4.0, 84.0, -9.0, 18.0, 2.0],
    ]
)

FIST = (80.0, 0.0, 98.0, 65.0)
SPREAD = np.array([14.0, 0.0, 10.0, 20.0])
"""MCP abduction of a widely spread hand. Between neighbours people reach 17, 14 and 32 degrees (Chatzioglou et al.,
Anat. Cell Biol. 57(2), 2024)."""


class Draws:
    """Hands out the columns of uniform numbers (N, D), each once, as uniform or truncated normal variables."""

    def __init__(self, uniforms: np.ndarray):
        self.uniforms, self.used = uniforms, 0

    def uniform(self, low: float = 0.0, high: float = 1.0, count: int = 4) -> np.ndarray:
        """Give (N, count) numbers between `low` and `high`."""
        block = self.uniforms[:, self.used : self.used + count]
        if block.shape[1] < count:
            raise ValueError(f"{self.used + count} draws wanted, {self.uniforms.shape[1]} there: raise the block size.")
        self.used += count
        return low + (high - low) * block

    def normal(self, mean: float = 0.0, sigma: float = 1.0, count: int = 4, cut: float = 2.5) -> np.ndarray:
        """Give (N, count) normal numbers, truncated at `cut` sigmas."""
        tail = ndtr(-cut)
        return mean + sigma * ndtri(self.uniform(tail, 1.0 - tail, count))


def _hand(thumb: np.ndarray, mcp: np.ndarray, abduction: np.ndarray, pip: np.ndarray, dip: np.ndarray) -> np.ndarray:
    """Put (N, 5) and four times (N, 4) together to (N, 23), the wrist left at 0."""
    fingers = np.stack([mcp, abduction, pip, dip], axis=2).reshape(len(mcp), 16)
    return np.concatenate([np.zeros((len(mcp), 2)), thumb, fingers], axis=1)


def _follow(pip: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return pip * (2.0 / 3.0) + noise


def _choose(names: tuple[str, ...], pick: np.ndarray) -> np.ndarray:
    """Thumbs (N, 5) of the given names, by uniform numbers (N, 1)."""
    table = np.array([THUMBS[n] for n in names])
    return table[np.minimum((pick[:, 0] * len(names)).astype(np.int64), len(names) - 1)]


def _mix(a: np.ndarray | float, b: np.ndarray | float, share: np.ndarray) -> np.ndarray:
    return a + (b - a) * share


def _fold(share: np.ndarray) -> np.ndarray:
    """Reflect numbers between -1 and 2 into 0 to 1; clipping would pile them up at the ends."""
    return 1.0 - np.abs(1.0 - np.abs(share))


def _coverage(d: Draws) -> np.ndarray:
    bend, curl = d.uniform(count=1), d.uniform(count=1)
    mcp = _mix(-15.0, 90.0, _fold(bend + d.normal(0.0, 0.3)))
    pip = _mix(0.0, 105.0, _fold(curl + d.normal(0.0, 0.3)))
    dip = _follow(pip, d.normal(0.0, 10.0))
    abduction = (1.0 - 0.8 * np.clip(mcp / 90.0, 0.0, 1.0)) * (4.0 + d.normal(0.0, 0.55) * SPREAD)
    base = d.uniform(count=2) * [77.0, 70.0] - [15.0, 10.0]
    twist = 0.4 * base.sum(axis=1, keepdims=True) + d.normal(5.0, 10.0, 1)
    thumb = np.concatenate([base, twist, d.uniform(-15.0, 50.0, 1), d.uniform(-10.0, 75.0, 1)], axis=1)
    return _hand(thumb, mcp, abduction, pip, dip)


def _grasp(d: Draws) -> np.ndarray:
    closing = d.uniform(count=1)
    cascade = closing * np.array([-4.0, 0.0, 3.0, 6.0])
    mcp = _mix(5.0, 75.0, closing) + cascade + d.normal(0.0, 7.0)
    pip = _mix(8.0, 88.0, _fold(closing + d.normal(0.0, 0.15, 1))) + d.normal(0.0, 7.0)
    abduction = (1.0 - closing) * SPREAD * d.uniform(0.2, 1.0, 1) + d.normal(0.0, 2.5)
    thumb = _mix(np.array(THUMBS["relaxed"]), np.array([48.0, 42.0, 50.0, 30.0, 35.0]), d.uniform(count=1))
    return _hand(thumb + d.normal(0.0, 6.0, 5), mcp, abduction, pip, _follow(pip, d.normal(-4.0, 6.0)))


def _fist(d: Draws) -> np.ndarray:
    mcp, _, pip, dip = FIST
    thumb = _choose(("over_fist", "over_fist", "on_index_side", "key", "extended"), d.uniform(count=1))
    shared = d.normal(-2.0, 5.0, 2)
    return _hand(
        thumb + d.normal(0.0, 3.5, 5),
        mcp + shared[:, :1] + d.normal(0.0, 4.0),
        d.normal(0.0, 1.5),
        pip + shared[:, 1:] + d.normal(0.0, 4.0),
        dip + d.normal(-4.0, 6.0),
    )


def _flat(d: Draws) -> np.ndarray:
    spread = d.uniform(-0.1, 1.0, 1) * SPREAD + d.normal(0.0, 2.0)
    mcp = d.normal(2.0, 9.0, 1) + d.normal(0.0, 4.0)
    pip = d.uniform(0.0, 15.0, 1) + d.normal(0.0, 2.5)
    thumb = _choose(("extended", "extended", "beside", "relaxed", "in_palm"), d.uniform(count=1))
    return _hand(thumb + d.normal(0.0, 5.0, 5), mcp, spread, pip, _follow(pip, d.normal(-1.0, 2.5)))


def _sign(d: Draws) -> np.ndarray:
    out = d.uniform() < 0.5
    hooked = d.uniform() < 0.2
    mcp, _, pip, dip = FIST
    straight = d.normal(3.0, 7.0), d.uniform(0.0, 12.0), d.uniform(-2.0, 8.0)
    bent = np.where(hooked, 20.0, mcp) + d.normal(-2.0, 6.0), np.where(hooked, 88.0, pip) + d.normal(-3.0, 6.0)
    spread = np.where(out, d.uniform(-0.2, 1.0, 1) * SPREAD, 0.0) + d.normal(0.0, 2.0)
    thumb = _choose(tuple(THUMBS), d.uniform(count=1)) + d.normal(0.0, 4.0, 5)
    follows = np.where(hooked, 50.0, dip) + d.normal(-3.0, 6.0)
    return _hand(
        thumb,
        np.where(out, straight[0], bent[0]),
        spread,
        np.where(out, straight[1], bent[1]),
        np.where(out, straight[2], follows),
    )


def _pinch(d: Draws) -> np.ndarray:
    pick = np.searchsorted([0.5, 0.75, 0.9], d.uniform(count=1)[:, 0])
    meet = PINCHES[pick]
    meets = np.arange(4) == pick[:, None]
    level = d.uniform(count=1)
    mcp = _mix(0.0, 70.0, level) + d.normal(0.0, 7.0)
    pip = _mix(4.0, 85.0, level) + d.normal(0.0, 7.0)
    abduction = (1.0 - level) * SPREAD * d.uniform(0.2, 1.0, 1) + d.normal(0.0, 2.0)
    dip = _follow(pip, d.normal(-3.0, 4.0))
    # A pinch survives small changes of all angles and, better, a common give between the finger's two long joints.
    give = d.normal(0.0, 5.0, 1)
    own = meet[:, 5:] + d.normal(0.0, 1.5) + give * np.array([-0.6, 0.0, 1.0, 0.5])
    return _hand(
        meet[:, :5] + d.normal(0.0, 1.5, 5),
        np.where(meets, own[:, :1], mcp),
        np.where(meets, own[:, 1:2], abduction),
        np.where(meets, own[:, 2:3], pip),
        np.where(meets, own[:, 3:], dip),
    )


def draw_poses(kinds: np.ndarray, uniforms: np.ndarray, shares: tuple[float, ...], between: float) -> np.ndarray:
    """Turn uniform numbers into poses, row by row.

    Args:
        kinds: (N, `KIND_DRAWS`) in [0, 1): choose the components. They are apart from the rest so that a pose that was
            refused can be drawn again in the same way; else easy components would crowd out fists.
        uniforms: (N, `POSE_DRAWS`) in [0, 1): the pose itself.
        shares: Weights of `COMPONENTS`, in that order, of any sum.
        between: Share of poses on the way from one component's to another's.

    Returns:
        (N, 23) degrees, not yet clipped to any limits.
    """
    edges = np.cumsum(shares) / np.sum(shares)
    first, second = (np.searchsorted(edges[:-1], kinds[:, k], side="right") for k in (0, 1))
    moving = kinds[:, 2:3] < between
    own, rest = Draws(uniforms[:, :3]), uniforms[:, 3:]
    wrist = own.normal(0.0, 1.0, 2) * [24.0, 9.0] + [-6.0, 5.0]
    makers = (_coverage, _grasp, _fist, _flat, _sign, _pinch)
    # All components read the same numbers: only one or two of them are used in a row.
    poses = np.stack([make(Draws(rest)) for make in makers])
    rows = np.arange(len(uniforms))
    a, b = poses[first, rows], poses[second, rows]
    out = np.where(moving, _mix(a, b, own.uniform(count=1)), a)
    out[:, :2] = wrist
    return out
