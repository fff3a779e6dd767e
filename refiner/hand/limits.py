"""Limits of the joints, and hands drawn at random within them.

Limits follow the clinical ranges of motion (American Academy of Orthopaedic Surgeons, "Joint motion", 1965; the same
figures with a range for extension in Eaton's electronic textbook of hand surgery, e-hand.com): MCP 0-45 extension to 90
flexion, PIP 0 to 100, DIP 0 to 80, thumb IP 15 extension to 80, thumb MCP 10 extension to 55, palmar abduction 45,
radial abduction 60, wrist 70 extension to 75 flexion, 20 radial to 35 ulnar. They are widened by some degrees where
measured motion or a closed fist asks for it. The thumb's base is measured here from a flat hand whose metacarpal stands
40 degrees from the index finger already, and about axes of its own, so its numbers are not the clinical ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from refiner.errors import UsageError
from refiner.hand.collision import overlap_mm
from refiner.hand.model import HandModel
from refiner.hand.prior import COMPONENTS, KIND_DRAWS, POSE_DRAWS, Draws, draw_poses

LIMITS_DEG: dict[str, tuple[float, float]] = {
    "wrist_flexion": (-70.0, 75.0),
    "wrist_deviation": (-20.0, 35.0),
    "thumb_cmc_flexion": (-20.0, 62.0),
    "thumb_cmc_abduction": (-20.0, 62.0),
    "thumb_cmc_twist": (-15.0, 62.0),
    "thumb_mcp_flexion": (-30.0, 60.0),
    "thumb_ip_flexion": (-15.0, 80.0),
    "mcp_flexion": (-30.0, 100.0),
    "index_mcp_abduction": (-15.0, 25.0),
    "middle_mcp_abduction": (-15.0, 15.0),
    "ring_mcp_abduction": (-15.0, 20.0),
    "little_mcp_abduction": (-15.0, 35.0),
    "pip_flexion": (-8.0, 110.0),
    "dip_flexion": (-10.0, 85.0),
}
"""Lowest and highest angle in degrees; a name without a finger holds for all four."""

TRIES, PATIENCE = 640, 32
"""Poses drawn for one hand before giving up, and before it tries another kind of pose: some hands are too fat for some
fists. About three are needed on average."""


def pose_limits(model: HandModel) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest pose (P,) in radians; the global rotation has none (-inf, inf)."""
    low, high = np.full(len(model.pose_names), -np.inf), np.full(len(model.pose_names), np.inf)
    for k, name in enumerate(model.pose_names[3:], start=3):
        low[k], high[k] = np.deg2rad(LIMITS_DEG.get(name) or LIMITS_DEG[name.split("_", 1)[1]])
    return low, high


@dataclass(frozen=True)
class HandPrior:
    """What hands to draw.

    Attributes:
        left: Share of left hands. Public depth sets show right hands, and an estimator that is not told the side
            does better on one; hence none by default.
        components: Weights of the ways to hold the fingers, in the order of `prior.COMPONENTS`.
        between: Share of poses on the way from one of them to another.
        sigma: Standard deviation of shape parameters by name, normal and cut at 2.2 of them. Defaults: adult hand
            length varies by 6 % (ANSUR II, men and women together), segments by 3-4 % beyond that; girths and
            MakeHuman's forearm by what looks like people.
        common_length: Standard deviation of a factor common to all five fingers' lengths.
    """

    left: float = 0.0
    components: tuple[float, ...] = (0.25, 0.2, 0.1, 0.1, 0.2, 0.15)
    between: float = 0.25
    sigma: dict[str, float] = field(
        default_factory=lambda: {
            "scale": 0.065,
            **{f"{d}_length": 0.03 for d in ("thumb", "index", "middle", "ring", "little")},
            "palm_length": 0.04,
            "palm_width": 0.04,
            "palm_thickness": 0.05,
            "finger_girth": 0.07,
            "forearm_girth": 0.08,
            "wrist_girth": 0.2,
            "forearm_fat": 0.25,
            "forearm_muscle": 0.25,
            "body_1": 0.8,
            "body_2": 0.8,
            "body_3": 0.8,
        }
    )
    common_length: float = 0.03

    def __post_init__(self) -> None:
        """Check the ranges of all settings."""
        for name in ("left", "between"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"`{name}` is {getattr(self, name)}, wanted a share between 0 and 1.")
        if len(self.components) != len(COMPONENTS) or min(self.components) < 0 or sum(self.components) <= 0:
            raise UsageError(
                f"`components` is {self.components}, wanted {len(COMPONENTS)} weights, not negative and not all 0, for "
                f"{', '.join(COMPONENTS)}."
            )
        bad = {k: v for k, v in {**self.sigma, "common_length": self.common_length}.items() if not 0.0 <= v < np.inf}
        if bad:
            raise UsageError(f"Standard deviations {bad} are not usable, wanted finite numbers of at least 0.")


@dataclass(frozen=True, eq=False)
class HandSample:
    """Drawn hands: `pose` (N, P) with zero global rotation, `shape` (N, S), `side` (N,) 0 right, 1 left."""

    pose: np.ndarray
    shape: np.ndarray
    side: np.ndarray


def shape_covariance(names: Sequence[str], prior: HandPrior, widening: float = 1.0) -> np.ndarray:
    """Give the covariance of shape parameters, by name; one that does not vary is all but fixed.

    Args:
        names: K of `model.shape_names`.
        prior: Their spread.
        widening: Factor of their deviations, but not of that common to all fingers' lengths.

    Returns:
        (K, K).
    """
    sigma = np.array([prior.sigma.get(name, 0.0) for name in names])
    digit = np.array([name.endswith("_length") and name != "palm_length" for name in names], dtype=np.float64)
    return np.diag(np.maximum(widening * sigma, 1e-4) ** 2) + prior.common_length**2 * np.outer(digit, digit)


def _draw_shapes(model: HandModel, uniforms: np.ndarray, prior: HandPrior) -> np.ndarray:
    unknown = sorted(set(prior.sigma) - set(model.shape_names))
    if unknown:
        raise UsageError(f"`sigma` names {unknown}, wanted names among {', '.join(model.shape_names)}.")
    normal = Draws(uniforms).normal(count=len(model.shape_names) + 1, cut=2.2)
    shape = normal[:, 1:] * np.array([prior.sigma.get(name, 0.0) for name in model.shape_names])
    lengths = [k for k, name in enumerate(model.shape_names) if name.endswith("_length") and name != "palm_length"]
    shape[:, lengths] += normal[:, :1] * prior.common_length
    return shape


def sample_hands(
    model: HandModel, seed: int, items: Sequence[int] | np.ndarray, prior: HandPrior | None = None
) -> HandSample:
    """Draw hands that respect the limits and do not cut through themselves.

    Item i of a seed is the same bytes whatever else is drawn with it: each item has a generator of its own, seeded by
    (seed, i), which gives side and shape first, then a kind of pose, then poses of that kind until one is free
    of self-intersection (a kind that fails too often is drawn again).

    Args:
        model: The hand.
        seed: Not negative.
        items: Item numbers (N,), not negative.
        prior: What to draw; None for the defaults.
    """
    prior = prior or HandPrior()
    items = np.asarray(items, dtype=np.int64).reshape(-1)
    if seed < 0 or (items < 0).any():
        raise ValueError(
            f"`seed` is {seed} and the smallest item {items.min(initial=0)}, wanted none of them below 0: generators "
            "are seeded by the pair."
        )
    generators = [np.random.default_rng((seed, int(item))) for item in items]
    width = 1 + len(model.shape_names) + 1
    uniforms = np.array([g.random(width) for g in generators]).reshape(len(items), width)
    side = (uniforms[:, 0] < prior.left).astype(np.int32)
    shape = _draw_shapes(model, uniforms[:, 1:], prior)
    low, high = pose_limits(model)
    pose = np.zeros((len(items), len(model.pose_names)))
    kinds = np.zeros((len(items), KIND_DRAWS))
    left = np.arange(len(items))
    for attempt in range(TRIES):
        if not len(left):
            return HandSample(pose, shape, side)
        draws = np.array([generators[k].random(KIND_DRAWS + POSE_DRAWS) for k in left])
        if attempt % PATIENCE == 0:
            kinds[left] = draws[:, :KIND_DRAWS]
        angles = draw_poses(kinds[left], draws[:, KIND_DRAWS:], prior.components, prior.between)
        pose[left, 3:] = np.deg2rad(angles)
        pose[left] = np.clip(pose[left], low, high)
        left = left[overlap_mm(model, pose[left], shape[left]) > 0.0]
    if len(left):
        raise UsageError(
            f"{len(left)} hands, the first item {items[left[0]]}, still cut through themselves after {TRIES} poses; "
            "wanted a free one. The shapes or the mixture leave no room: lower `sigma` or change `components`."
        )
    return HandSample(pose, shape, side)
