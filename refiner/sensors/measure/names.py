"""Names of what is measured, with units and what they mean."""

import itertools

from refiner.sensors.measure.losses import BLOTS, CATEGORIES
from refiner.sensors.measure.noise import DISTANCE_EDGES_MM, FACING_DEG, NOISE_TILT_EDGES_DEG, TILT_EDGES_DEG
from refiner.sensors.measure.patterns import PERIODS_PX
from refiner.sensors.measure.rims import SIDES
from refiner.sensors.measure.shadows import WHERE
from refiner.sensors.measure.surfaces import LAGS_PX


def _bins(edges: tuple[float, ...]) -> list[tuple[str, str]]:
    return [(f"{low:.0f}", f"{high:.0f}") for low, high in itertools.pairwise(edges)]


def _measures() -> dict[str, tuple[str, str]]:
    facing = f"surfaces tilted by less than {FACING_DEG:.0f} degrees against the ray"
    tilts = _bins(TILT_EDGES_DEG)
    distances = _bins(DISTANCE_EDGES_MM)
    table = {
        "unit_mm": ("mm", "greatest unit that all readings are whole multiples of"),
        "step_mm_at_1m": ("mm", "step between levels at 1 m; the unit where there are no steps beyond it"),
        "step_exponent": ("", "power of the distance that steps grow with: 0 depth, 2 disparity"),
        "noise_mm": ("mm", f"standard deviation of the part of noise that is finer than some 4 px, on {facing}"),
    }
    for low, high in _bins(NOISE_TILT_EDGES_DEG):
        table[f"noise_mm_tilt_{low}_{high}"] = ("mm", f"noise at a tilt of {low} to {high} degrees")
    for low, high in distances:
        table[f"noise_mm_at_{low}_{high}"] = ("mm", f"noise at {low} to {high} mm, on {facing}")
    for axis in "uv":
        for lag in range(1, LAGS_PX + 1):
            table[f"noise_correlation_{axis}_{lag}px"] = ("", f"correlation of noise {lag} px apart along {axis}")
    for lines in ("rows", "columns"):
        for period in PERIODS_PX:
            if period == 2:
                table[f"{lines}_alternate_mm"] = ("mm", f"how far odd {lines} of the image lie behind even ones")
            else:
                table[f"{lines}_period_{period}px_mm"] = ("mm", f"amplitude of a pattern of {period} {lines}")
    for side in SIDES:
        table[f"rim_{side}_mm"] = (
            "mm",
            f"median depth of the outermost pixel at the {side} behind that 3 px farther in",
        )
    table["rim_excess_mm"] = (
        "mm",
        "median depth of the outermost pixel behind where a sharp round rim has it; mixed rims > 0, fattened ones < 0",
    )
    table["rim_flying"] = (
        "share",
        "outermost pixels that lie 10 mm and three times the noise behind where any sharp rim has them",
    )
    table["rim_flat_px"] = ("px", "width of the part of the rim that is flatter than what is farther in: fattened")
    endings = {"": "pixels of the hand"}
    endings |= {f"_tilt_{low}_{high}": f"pixels tilted by {low} to {high} degrees" for low, high in tilts}
    endings |= {f"_at_{low}_{high}": f"pixels at {low} to {high} mm" for low, high in distances}
    for name in CATEGORIES:
        if name.startswith("_outline"):
            place = name.removeprefix("_outline_").replace("px", " px").replace("_on", " and more").replace("_", " to ")
            endings[name] = f"pixels {place} from the outline"
    endings["_edge"] = "pixels within 3 px of where two surfaces of the hand meet"
    for name in CATEGORIES:
        table[f"lost{name}"] = ("share", f"{endings[name]} that are lost")
        table[f"lost_single{name}"] = ("share", f"{endings[name]} that are lost one by one")
        table[f"lost_blot{name}"] = ("share", f"{endings[name]} that are lost in blots of 2 px and more")
    for name in BLOTS:
        size = name.removeprefix("lost_blot_").replace("px", " px").replace("_on", " and more").replace("_", " to ")
        table[name] = ("share", f"pixels of the hand that are lost in blots of {size}, beyond what chance makes")
    for where in WHERE:
        table[f"shadow_{where}_asymmetry"] = (
            "",
            f"side of a nearer surface on which readings before the {where} are missing: -1 left, 1 right",
        )
        table[f"shadow_{where}_px"] = (
            "px",
            f"mean width of what is missing on one side more than on the other, {where}",
        )
        table[f"shadow_{where}_baseline_mm"] = (
            "mm",
            f"place of the projector or second imager on the camera's x axis that makes such a shadow, {where}; "
            "> 0 throws it to the left",
        )
    return table


MEASURES = _measures()
"""Name -> its unit and what it is."""
