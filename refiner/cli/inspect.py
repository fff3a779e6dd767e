"""`refiner inspect`: say what a dataset holds and whether it is whole."""

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refiner.datasets.store import DepthStore

SHEET_ITEMS = 48
SHEET_CELL_PX = 128
SHOWN_DOUBTS = 20


def inspect(
    dataset: str, *, sheet: str | None = None, labels: bool = False, json: bool = False, overwrite: bool = False
) -> int:
    """Say what a dataset holds and whether it is whole; exit with status 1 where it is not.

    Args:
        dataset: The dataset (NAME.zarr); an incomplete one is inspected too.
        sheet: Write a contact sheet of maps spread over the set to this PNG file; what lies outside the recorded image
            is hatched, and a title says "+1 part" where something beside the hand is in the map.
        labels: Draw the joints on the sheet, and list the doubtful labels: bone lengths that stray, joints before the
            surface, jumps between frames.
        json: Print the whole report as JSON.
        overwrite: Replace the sheet where it exists.
    """
    from refiner.datasets.inspection import inspect_store
    from refiner.datasets.store import DepthStore
    from refiner.errors import OutputExistsError

    if sheet is not None and Path(sheet).exists() and not overwrite:
        raise OutputExistsError(f"{sheet} exists. Give another name, or --overwrite.")
    store = DepthStore(dataset, allow_incomplete=True)
    report = inspect_store(store)
    picture = Path(sheet) if sheet is not None and "depth_mm" in report else None
    if picture is not None:
        write_sheet(store, picture, labels=labels)
    if json:
        print(dumps(report, indent=2))
    else:
        print("\n".join(_lines(report, labels=labels)))
        if picture is not None:
            print(f"{sheet}: contact sheet of {min(SHEET_ITEMS, len(store))} maps")
    for problem in report["problems"]:
        print(f"{dataset}: {problem}", file=sys.stderr)
    return 1 if report["problems"] else 0


def write_sheet(store: "DepthStore", path: Path, *, labels: bool, items: int = SHEET_ITEMS) -> None:
    """Write maps spread over the set as one picture: near = warm, far = cold, no reading = grey, unrecorded = hatched.

    The title of a map is its number, with "cut" where the recorded image ends in it and "+1 part" where something else
    as large as a part of a hand is in it.
    """
    from refiner import viz
    from refiner.datasets.inspection import outside_image, parts_beside, read_items, shade_item, sheet_items
    from refiner.geometry.camera import project

    chosen = sheet_items(len(store), items)
    pictures, titles = [], []
    for item in chosen:
        picture = shade_item(store, int(item))
        if labels and store.skeleton is not None:
            joints_mm, camera = (read_items(store, name, [item])[0] for name in ("joints_mm", "camera"))
            visible = read_items(store, "visible", [item])[0] if "visible" in store.names else None
            picture = viz.draw_skeleton(picture, project(joints_mm, camera), store.skeleton, visible)
        else:
            picture = viz.enlarge(picture, SHEET_CELL_PX)
        pictures.append(picture)
        cut, beside = outside_image(store, int(item)).any(), parts_beside(store, int(item))
        titles.append(f"{item}{' cut' if cut else ''}{f' +{beside} part' if beside else ''}")
    viz.save_png(path, viz.contact_sheet(pictures, titles=titles, columns=8))


def _lines(report: dict[str, Any], *, labels: bool) -> list[str]:
    lines = [
        f"{report['path']}: {report['items']} maps of {report['size_px']} px, {report['depth_unit_mm']:g} mm a step"
    ]
    if report.get("depth_mm"):
        (low, high), distance, cube = (report[key] for key in ("depth_mm", "distance_mm", "cube_mm"))
        lines += [
            f"depth      {low:.0f} to {high:.0f} mm, {report['pixels_with_a_reading']:.1%} of pixels have a reading",
            f"distance   {distance['min']:.0f} to {distance['max']:.0f} mm, median {distance['median']:.0f}",
            f"cube       {cube['min']:g} to {cube['max']:g} mm",
        ]
    if "camera" in report:
        lines.append(f"camera     {report['camera']}")
    lines.append(f"arrays     {', '.join(report['arrays'])}")
    if "skeleton" in report:
        lines.append(
            f"labels     {report['skeleton']}, {report['joints']} joints, {report['labelled_items']} items whole"
        )
        lines += _impossible_lines(report["impossible_joints"])
        doubts = report["doubtful_labels"]
        lines.append(f"doubtful   {len(doubts)} labels of {len({doubt['item'] for doubt in doubts})} items")
        if labels:
            lines += [f"  item {d['item']:>6}  {d['joint']:<10} {d['reason']}, {d['value_mm']:.0f} mm"
                      for d in doubts[:SHOWN_DOUBTS]]  # fmt: skip
            if len(doubts) > SHOWN_DOUBTS:
                lines.append(f"  and {len(doubts) - SHOWN_DOUBTS} more: --json lists them all")
    if "sequences" in report:
        lines.append(f"sequences  {report['sequences']}")
    if command := report["provenance"].get("command"):
        lines.append(f"made by    {command}")
    lines.append("whole" if not report["problems"] else "NOT WHOLE")
    return lines


def _impossible_lines(found: list[dict[str, Any]]) -> list[str]:
    lines = []
    for reason in dict.fromkeys(entry["reason"] for entry in found):
        items = [entry["item"] for entry in found if entry["reason"] == reason]
        joints = sum(entry["joints"] for entry in found if entry["reason"] == reason)
        more = f" and {len(items) - SHOWN_DOUBTS} more" if len(items) > SHOWN_DOUBTS else ""
        shown = ", ".join(map(str, items[:SHOWN_DOUBTS]))
        lines.append(f"unknown    {joints} joints of {len(items)} items, {reason}: items {shown}{more}")
    return lines
