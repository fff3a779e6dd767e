"""`refiner evaluate`: how real refined maps look, without labels, and whether their labels still hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refiner.files import write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refiner.datasets.store import DepthStore
    from refiner.realism.verdicts import Effort

SHOWN, CELL_PX = 8, 128


def evaluate(
    *,
    synthetic: str,
    refined: str,
    real: str,
    out: str,
    learn_synthetic: str | None = None,
    learn_refined: str | None = None,
    learn_real: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> int:
    """Say how real a refined set looks, by classifiers that took no part in its making, and whether its labels hold.

    Exit with status 1 where a control fails, so that an accuracy means nothing.

    Args:
        synthetic: The renders (NAME.zarr).
        refined: What `refiner refine` made of them.
        real: Camera maps, best such as the refiner has not seen.
        out: Folder for report.json, report.md and maps.png.
        learn_synthetic: Give this and the next two, or none. Renders of other sequences, for the classifiers to learn
            from, so that they are asked about hands that they have not met: one hand's creases are the same in all
            frames of a pose, and tell it from a real one by memory. Without, classifiers learn from half of the sets
            above, by whole sequences where there are four or more, else with gaps of 20 frames, and are asked about the
            rest. Where both share a recording, frames next to those that are asked about are not learnt from.
        learn_refined: Refined from those.
        learn_real: Camera maps of those sequences.
        seed: Of the classifiers and of what is looked at.
        overwrite: Replace a report that is there.
    """
    from refiner.datasets.store import DepthStore
    from refiner.errors import OutputExistsError, UsageError
    from refiner.realism.verdicts import Effort

    folder = Path(out)
    if (folder / "report.json").exists() and not overwrite:
        raise OutputExistsError(f"{folder} holds a report. Give another --out, or --overwrite.")
    given = {"synthetic": learn_synthetic, "refined": learn_refined, "real": learn_real}
    if 0 < sum(path is not None for path in given.values()) < len(given):
        missing = ", ".join(f"--learn-{name}" for name, path in given.items() if path is None)
        raise UsageError(f"Found no {missing}; wanted renders, refined and camera maps to learn from, or none of them.")
    learn = [DepthStore(path) for path in given.values() if path is not None]
    stores = {"synthetic": DepthStore(synthetic), "refined": DepthStore(refined), "real": DepthStore(real)}
    report = write_report(stores, folder, seed, Effort(), learn)
    for level in ("patches", "whole_maps"):
        result = report[level]["refined_against_real"]
        void = "" if report[level]["valid"] else f", VOID: {' and '.join(report[level]['void_because'])}"
        low, high = result["ci95"]
        print(f"{level.replace('_', ' ')}: {result['accuracy']:.3f} (95 % {low:.3f} to {high:.3f}){void}")
    print(f"mean change of depth on the hand {report['label_shift']['depth_mm']['mean']:.2f} mm")
    print(f"{folder}: report.json, report.md, maps.png")
    return 0 if report["patches"]["valid"] else 1


def write_report(
    stores: "dict[str, DepthStore]", folder: Path, seed: int, effort: "Effort", learn: Sequence["DepthStore"] = ()
) -> dict[str, Any]:
    """Measure the stores synthetic, refined and real, and write report.json, report.md and maps.png to a folder.

    Args:
        stores: The three, by name, in this order.
        folder: Where to write.
        seed: Of the classifiers and of what is looked at.
        effort: How much is looked at.
        learn: The same three of other sequences, for classifiers to learn from; or none.
    """
    from refiner.realism.report import as_markdown, measure

    report, figures = measure(
        *stores.values(), seed=seed, effort=effort, learn=learn, on_step=lambda step: print(step, flush=True)
    )
    named = stores | {f"learn_{name}": store for name, store in zip(stores, learn, strict=False)}
    report["sets"] = {name: {"path": str(store.path), "digest": store.digest()} for name, store in named.items()}
    folder.mkdir(parents=True, exist_ok=True)
    draw_extremes(stores["refined"], figures, folder / "maps.png")
    paths = {name: store.path for name, store in stores.items()}
    (folder / "report.md").write_text(as_markdown(report, paths, [store.path for store in learn]))
    write_json(folder / "report.json", report)
    return report


def draw_extremes(refined: "DepthStore", figures: "dict[str, NDArray[Any]]", path: Path) -> None:
    """Draw the maps at both ends of each measure."""
    import numpy as np

    from refiner import viz
    from refiner.datasets.inspection import shade_item

    rows, titles = [], []
    for items, values, title in (
        (figures["scored_items"], -figures["scores"], "most real by the patch classifier"),
        (figures["scored_items"], figures["scores"], "least real"),
        (figures["shifted_items"], figures["depth_mm"], "least moved"),
        (figures["shifted_items"], -figures["depth_mm"], "most moved"),
    ):
        rows.append(
            [viz.enlarge(shade_item(refined, int(item)), CELL_PX) for item in items[np.argsort(values)[:SHOWN]]]
        )
        titles.append(title)
    width = min(map(len, rows))
    viz.save_png(path, viz.contact_sheet([row[:width] for row in rows], titles=titles))
