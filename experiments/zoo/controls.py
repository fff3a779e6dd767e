"""Controls without a network: renders with white noise and with readings lost at random.

Any noise makes an estimator robust, whatever camera it is tested on. What a refiner adds shows beside these controls
only: `FIXED` is the same for all cameras, and `measured_strength` is what can be said of one camera in two numbers.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import spread_items
from refiner.datasets.store import DepthStore, is_whole
from refiner.datasets.store_writer import StoreWriter, provenance
from refiner.geometry.depth import to_mm, to_units
from refiner.geometry.holes import hole_rate
from refiner.realism.maps import read_depth_mm
from refiner.sensors.residuals import noise_mm_of

_CONTROL = 0x636F  # keeps the random numbers of controls apart from other uses of the seed
_LOOKED_AT = 500


@dataclass(frozen=True)
class Strength:
    """How strong a control is.

    Attributes:
        noise_mm: Standard deviation of white noise of the depth.
        lost: Share of the readings that are lost, each by itself.
    """

    noise_mm: float
    lost: float

    def __post_init__(self) -> None:
        """Refuse what is no strength.

        Raises:
            ValueError: The noise is negative, or the share is not from 0 to below 1.
        """
        if not (self.noise_mm >= 0 and 0 <= self.lost < 1):
            raise ValueError(f"Found {self}, wanted noise_mm >= 0 and lost from 0 to below 1.")


FIXED = Strength(noise_mm=3.0, lost=0.05)
"""The same for all cameras; on one camera it closed 87 % of the gap, on two others 20 and 24 %."""


def worn(
    depth_mm: NDArray[np.float32],
    near_mm: NDArray[np.floating],
    far_mm: NDArray[np.floating],
    strength: Strength,
    keys: list[tuple[int, ...]],
) -> NDArray[np.float32]:
    """Add white noise to readings and lose some of them.

    Args:
        depth_mm: (n, H, W), 0 = no reading.
        near_mm: (n,), the near face of each cube.
        far_mm: (n,), the far face: noise that takes a reading out of its cube loses it, as a crop does.
        strength: How strong.
        keys: Seed of each item's random numbers.

    Returns:
        (n, H, W).
    """
    result = np.empty_like(depth_mm)
    for item, key in enumerate(keys):
        rng = np.random.default_rng((_CONTROL, *key))
        noise = rng.standard_normal(depth_mm.shape[1:], dtype=np.float32)
        noisy = depth_mm[item] + np.float32(strength.noise_mm) * noise
        kept = (depth_mm[item] > 0) & (rng.random(depth_mm.shape[1:], dtype=np.float32) >= strength.lost)
        inside = (noisy > max(float(near_mm[item]), 0.0)) & (noisy < far_mm[item])
        result[item] = np.where(kept & (inside | (strength.noise_mm == 0)), noisy, 0)
    return result


def make_control(src: Path, out: Path, strength: Strength, unit_mm: float, seed: int = 0) -> Path:
    """Write the control of a set of renders, with their labels, unless it is there; an interrupted one is continued.

    Args:
        src: The renders.
        out: The dataset to write.
        strength: How strong.
        unit_mm: Depth unit of the camera's maps, in which the control is written, so that steps tell nothing.
        seed: Of the random numbers; item i draws from (seed, i).
    """
    if is_whole(out):
        return out
    store = DepthStore(src)
    configuration = {"control": asdict(strength), "depth_unit_mm": unit_mm}
    needed = ("depth", "camera", "centre_mm", "cube_mm")
    writer = StoreWriter(
        out,
        count=len(store),
        size=store.size,
        depth_unit_mm=unit_mm,
        provenance=provenance("python -m experiments.zoo", configuration, seed, [src]),
        arrays={name: store.read(name, 0, 1).shape[1:] for name in store.names if name not in needed},
        skeleton=store.skeleton,
    )
    for start, stop in writer.missing():
        rows = {name: store.read(name, start, stop) for name in store.names}
        depth_mm = to_mm(rows["depth"], store.depth_unit_mm)
        z_mm, half_mm = rows["centre_mm"][:, 2], rows["cube_mm"] / 2
        keys = [(seed, item) for item in range(start, stop)]
        control_mm = worn(depth_mm, z_mm - half_mm, z_mm + half_mm, strength, keys)
        writer.write(start, rows | {"depth": to_units(control_mm, unit_mm)})
    writer.finish()
    return out


def make_named_control(which: str, synthetic: Path, camera: Path, out: Path) -> Path:
    """Write the control `fixed` (`FIXED`) or `measured` (`measured_strength`) of renders, unless it is there.

    Args:
        which: Which one.
        synthetic: The renders.
        camera: The camera's maps; their labels are not looked at.
        out: The dataset to write.
    """
    if is_whole(out):
        return out
    maps = DepthStore(camera)
    strength = {"fixed": lambda: FIXED, "measured": lambda: measured_strength(maps, DepthStore(synthetic))}[which]()
    return make_control(synthetic, out, strength, maps.depth_unit_mm)


def measured_strength(camera: DepthStore, synthetic: DepthStore) -> Strength:
    """Return the strengths of a camera's noise and of its losses inside hands.

    They are measured at the pixels of the maps, on which the control puts its noise, and not at the camera's, which a
    crop averages: what the camera's maps have more of than renders, whose surfaces bend and whose hands enclose gaps as
    well.
    """
    unit_mm = max(camera.depth_unit_mm, synthetic.depth_unit_mm)
    maps = [read_depth_mm(store, spread_items(len(store), _LOOKED_AT), unit_mm) for store in (camera, synthetic)]
    noises_mm = [noise_mm_of(part) for part in maps]
    rates = [hole_rate(part > 0) for part in maps]
    return Strength(float(np.sqrt(max(noises_mm[0] ** 2 - noises_mm[1] ** 2, 0))), max(rates[0] - rates[1], 0.0))
