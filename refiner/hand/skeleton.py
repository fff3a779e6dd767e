"""Sets of hand joints: their names and tree, and what other data sets call them.

Everything here works in `hand21`; labels of other sets are affine combinations of its joints, one row of weights for
each target joint. Rows sum to 1, so a map commutes with moving and turning the hand. The maps of `msra21` and `hands17`
are exact permutations; those of `nyu14` and `icvl16` are approximations, because these sets label places that
`hand21` has no joint for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from refiner.errors import StoreError

FINGERS = ("index", "middle", "ring", "little")


@dataclass(frozen=True)
class Skeleton:
    """A named tree of joints.

    Attributes:
        name: Name of the set, such as `hand21`.
        joints: Unique joint names in storage order.
        parents: Index of each joint's parent, -1 for the root (one, not necessarily the first).
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse what is not a tree of uniquely named joints."""
        object.__setattr__(self, "joints", tuple(str(j) for j in self.joints))
        object.__setattr__(self, "parents", tuple(int(p) for p in self.parents))
        count = len(self.joints)
        if len(self.parents) != count or count == 0:
            raise ValueError(
                f"Skeleton {self.name!r} has {count} joints and {len(self.parents)} parents, wanted one parent for "
                "each of at least one joint. List -1 for the root."
            )
        doubled = sorted({j for j in self.joints if self.joints.count(j) > 1})
        if doubled:
            raise ValueError(f"Skeleton {self.name!r} names joints {doubled} twice; wanted unique names. Rename them.")
        outside = [p for p in self.parents if not -1 <= p < count]
        if outside:
            raise ValueError(
                f"Skeleton {self.name!r} has parents {outside}, wanted indices from 0 to {count - 1}, or -1 for the "
                "root. Mend the parents."
            )
        if self.parents.count(-1) != 1:
            raise ValueError(
                f"Skeleton {self.name!r} has {self.parents.count(-1)} roots (parent -1), wanted 1. Hang the other "
                "pieces on a joint of the first."
            )
        for start in range(count):
            at, steps = start, 0
            while at != -1 and steps <= count:
                at, steps = self.parents[at], steps + 1
            if at != -1:
                raise ValueError(
                    f"Skeleton {self.name!r} has a cycle through joint {self.joints[start]!r}, wanted a tree. Mend the "
                    "parents."
                )

    def __len__(self) -> int:
        """Count the joints."""
        return len(self.joints)

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs (parent, child) of all joints but the root, in order of the child."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p >= 0)

    def bone_lengths(self, joints_mm: np.ndarray) -> np.ndarray:
        """Distance of every joint to its parent in mm; NaN for the root and where a joint is NaN."""
        if joints_mm.shape[-2:] != (len(self), 3):
            raise ValueError(
                f"`joints_mm` has shape {joints_mm.shape}, wanted (..., {len(self)}, 3) for skeleton {self.name!r}. "
                "Map the joints to this skeleton first."
            )
        lengths = np.full(joints_mm.shape[:-1], np.nan, dtype=joints_mm.dtype)
        for parent, child in self.bones:
            lengths[..., child] = np.linalg.norm(joints_mm[..., child, :] - joints_mm[..., parent, :], axis=-1)
        return lengths

    def to_attrs(self) -> dict[str, Any]:
        """The store's `skeleton` attribute: plain JSON values."""
        return {"name": self.name, "joints": list(self.joints), "parents": list(self.parents)}

    @classmethod
    def from_attrs(cls, attrs: Mapping[str, Any] | None) -> "Skeleton":
        """Read a store's `skeleton` attribute; an absent one (None) means `hand21`."""
        if attrs is None:
            return HAND21
        wanted = {"name", "joints", "parents"}
        if not isinstance(attrs, Mapping) or not wanted <= set(attrs):
            found = sorted(attrs) if isinstance(attrs, Mapping) else type(attrs).__name__
            raise StoreError(
                f"The `skeleton` attribute holds {found}, wanted a mapping with {sorted(wanted)}. Write it with "
                "`Skeleton.to_attrs`."
            )
        try:
            return cls(str(attrs["name"]), tuple(attrs["joints"]), tuple(attrs["parents"]))
        except (TypeError, ValueError) as error:
            raise StoreError(f"The `skeleton` attribute describes no skeleton: {error}") from error


def _chains(digits: tuple[tuple[str, tuple[str, ...]], ...], root: str, name: str) -> Skeleton:
    """A root with one chain of joints for each digit."""
    joints, parents = [root], [-1]
    for digit, parts in digits:
        for k, part in enumerate(parts):
            parents.append(0 if k == 0 else len(joints) - 1)
            joints.append(f"{digit}_{part}")
    return Skeleton(name, tuple(joints), tuple(parents))


_LONG = ("mcp", "pip", "dip", "tip")
_THUMB = ("thumb", ("cmc", "mcp", "ip", "tip"))

HAND21 = _chains((_THUMB, *((f, _LONG) for f in FINGERS)), "wrist", "hand21")

MSRA21 = _chains((*((f, _LONG) for f in FINGERS), _THUMB), "wrist", "msra21")
"""Order of MSRA15's `joint.txt`; it calls the thumb's joints mcp, pip, dip, tip."""

HANDS17 = Skeleton(
    "hands17",
    ("wrist", "thumb_cmc", *(f"{f}_mcp" for f in FINGERS), "thumb_mcp", "thumb_ip", "thumb_tip",
     *(f"{f}_{p}" for f in FINGERS for p in _LONG[1:])),
    (-1, 0, 0, 0, 0, 0, 1, 6, 7, 2, 9, 10, 3, 12, 13, 4, 15, 16, 5, 18, 19),
)  # fmt: skip
"""Order of BigHand2.2M and HANDS17: wrist, five first joints (TMCP ... PMCP), then three more for each digit."""

NYU14 = Skeleton(
    "nyu14",
    ("little_tip", "little_pip", "ring_tip", "ring_pip", "middle_tip", "middle_pip", "index_tip", "index_pip",
     "thumb_tip", "thumb_ip", "thumb_mcp", "wrist_ulnar", "wrist_radial", "palm"),
    (1, 13, 3, 13, 5, 13, 7, 13, 9, 10, 13, 13, 13, -1),
)  # fmt: skip
"""The 14 evaluated of NYU's 36: KNU3_A and KNU2_B of F1 (little) to F4 (index), TH_KNU3_A, _3B, _2B, PALM_1 to _3."""

ICVL16 = _chains(tuple((d, ("root", "mid", "tip")) for d in ("thumb", *FINGERS)), "palm", "icvl16")
"""Order of ICVL's label lines."""

_ROWS: dict[str, tuple[Skeleton, dict[str, dict[str, float]]]] = {
    "hand21": (HAND21, {}),
    "msra21": (MSRA21, {}),
    "hands17": (HANDS17, {}),
    # Sphere centres in the source of the sets' own renderer (jonathantompson/ModelFit, HandModelCoeff, in units of some
    # 45 mm): KNU2_B and TH_KNU2_B lie at the start of their bones (PIP, thumb MCP) and KNU3_A just inside the tip;
    # PALM_1 and _2 lie 14 mm to the ulnar and radial side of the wrist (0.22 of the width between index and little
    # MCP), PALM_3 some two thirds of the way from the wrist to the knuckles.
    "nyu14": (
        NYU14,
        {
            "wrist_ulnar": {"wrist": 1.0, "little_mcp": 0.22, "index_mcp": -0.22},
            "wrist_radial": {"wrist": 1.0, "little_mcp": -0.22, "index_mcp": 0.22},
            "palm": {"wrist": 0.32, "middle_mcp": 0.34, "ring_mcp": 0.34},
        },
    ),
    # No definition was published. By looking at its labels people read root as the first joint, mid as the one after
    # it and palm as the palm's centre (Tang et al., "Latent regression forest", 2014, fig. 1); expect some 10 mm.
    "icvl16": (
        ICVL16,
        {
            "palm": {"wrist": 0.4, "index_mcp": 0.15, "middle_mcp": 0.15, "ring_mcp": 0.15, "little_mcp": 0.15},
            "thumb_root": {"thumb_mcp": 1.0},
            "thumb_mid": {"thumb_ip": 1.0},
            **{f"{f}_root": {f"{f}_mcp": 1.0} for f in FINGERS},
            **{f"{f}_mid": {f"{f}_pip": 1.0} for f in FINGERS},
        },
    ),
}

SKELETONS: dict[str, Skeleton] = {name: skeleton for name, (skeleton, _) in _ROWS.items()}


@cache
def weights_from_hand21(target: str) -> np.ndarray:
    """Weights that make each joint of a target set out of `hand21`; read-only, rows sum to 1."""
    if target not in _ROWS:
        raise ValueError(f"There is no map from hand21 to {target!r}, wanted one of {sorted(_ROWS)}.")
    skeleton, rows = _ROWS[target]
    weights = np.zeros((len(skeleton), len(HAND21)))
    for j, joint in enumerate(skeleton.joints):
        for source, weight in rows.get(joint, {joint: 1.0}).items():
            weights[j, HAND21.joints.index(source)] = weight
    weights.flags.writeable = False
    return weights


def map_joints(joints_mm: np.ndarray, target: str) -> np.ndarray:
    """Turn `hand21` joints into those of another set.

    Args:
        joints_mm: (..., 21, 3); NaN marks unknown joints and reaches only the target joints made of them.
        target: Key of `SKELETONS`.

    Returns:
        (..., J, 3) in the type of the input; permutations copy the numbers unchanged.
    """
    if joints_mm.shape[-2:] != (len(HAND21), 3):
        raise ValueError(
            f"`joints_mm` has shape {joints_mm.shape}, wanted (..., {len(HAND21)}, 3) in the order of hand21. Only "
            "hand21 can be mapped to other sets."
        )
    weights = weights_from_hand21(target)
    out = np.empty((*joints_mm.shape[:-2], len(weights), 3), dtype=joints_mm.dtype)
    for j, row in enumerate(weights):
        used = np.flatnonzero(row)  # not a matrix product: 0 * NaN is NaN
        if len(used) == 1:
            out[..., j, :] = joints_mm[..., used[0], :]
        else:
            out[..., j, :] = np.einsum("k,...kx->...x", row[used], joints_mm[..., used, :])
    return out
