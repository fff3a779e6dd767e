"""`refiner turing`: let a person say which maps are real and which are refined.

A test is a folder: test.json says what is asked, answers.jsonl holds one line an answer, result.json comes at the end.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refiner.files import write_json


def turing(
    real: str,
    refined: str,
    *,
    out: str,
    count: int = 50,
    seed: int = 0,
    port: int = 0,
    overwrite: bool = False,
    name: str | None = None,
) -> None:
    """Let a person say on a local web page which maps are real and which are refined, and how often they were right.

    Each answer is kept at once; an interrupted test is continued by the same command.

    Args:
        real: Camera maps (NAME.zarr).
        refined: What `refiner refine` made.
        out: Folder for test.json, answers.jsonl and result.json; one a person.
        count: Maps of each of the two sets.
        seed: Which maps, and in which order; give each person another.
        port: Of the page, on this computer alone; 0 = any that is free.
        overwrite: Begin anew, without the answers that are there.
        name: Of the person, to be kept with the answers.
    """
    from refiner.datasets.store import DepthStore
    from refiner.realism.turing import SIDES, AnswersFile, TuringTest, check_alike, draw_order
    from refiner.web.server import PageServer, require_packages

    require_packages()  # before anything is written
    from refiner.web.turing import ask

    folder, stores = Path(out), (DepthStore(real), DepthStore(refined))
    check_alike(*stores)
    for store in stores:
        store.require_whole()  # the test itself reads single maps
    order = draw_order(len(stores[0]), len(stores[1]), count, seed)
    settings = {
        side: {"path": str(store.path), "digest": store.digest()} for side, store in zip(SIDES, stores, strict=True)
    }
    settings |= {"count": count, "seed": seed, "name": name}
    require_same_test(folder, {} if overwrite else settings)
    folder.mkdir(parents=True, exist_ok=True)
    with AnswersFile(folder / "answers.jsonl", len(order), overwrite=overwrite) as answers:
        if overwrite:
            (folder / "result.json").unlink(missing_ok=True)
        write_json(folder / "test.json", settings)
        test = TuringTest(*stores, order, answers)
        if test.next_place() is not None:
            with PageServer(port=port) as server:
                line = f"{server.url} shows {len(order)} maps, {len(answers.said)} answered so far"
                ask(test, server, lambda: print(line, flush=True))
        result = test.result()
        assert result is not None
        maps = [{"truth": shown.side, "item": shown.item, "said": answers.said[k]} for k, shown in enumerate(order)]
        write_json(folder / "result.json", {**result, "test": settings, "maps": maps})
    print(as_text(result))
    print(f"{out}: {len(maps)} answers")


def require_same_test(folder: Path, settings: Mapping[str, Any]) -> None:
    """Check that a folder holds the test of these settings, or none; any will do where nothing is given.

    Raises:
        OutputExistsError: It holds another.
    """
    from refiner.errors import OutputExistsError

    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file, wanted a folder. Give another --out.")
    if not settings:
        return
    way_out = "Give another --out, or --overwrite to begin anew."
    path, answers = folder / "test.json", folder / "answers.jsonl"
    if not path.exists():
        if answers.exists() and answers.stat().st_size:
            raise OutputExistsError(f"{folder} holds answers but no test.json, wanted both or none. {way_out}")
        return
    try:
        there, asked = (_in_words(test) for test in (json.loads(path.read_text()), settings))
    except (ValueError, KeyError, TypeError):
        raise OutputExistsError(f"{path} is not a test of this program. {way_out}") from None
    differing = [key for key in asked if there[key] != asked[key]]
    if differing:
        found, wanted = (", ".join(f"{key} {test[key]}" for key in differing) for test in (there, asked))
        raise OutputExistsError(f"{folder} holds another test: found {found}, wanted {wanted}. {way_out}")


def as_text(result: Mapping[str, Any]) -> str:
    """Write a result as the paper's table and a sentence."""
    from refiner.realism.turing import SIDES, in_a_sentence

    head = f"{'':<13}" + "".join(f"{'said ' + said:>14}" for said in SIDES)
    rows = [
        f"{'truly ' + truth:<13}" + "".join(f"{result['table'][truth][said]:>14}" for said in SIDES) for truth in SIDES
    ]
    return "\n".join([head, *rows, "", in_a_sentence(result)])


def _in_words(test: Mapping[str, Any]) -> dict[str, Any]:
    # A set that was moved is the same set.
    return {side: test[side]["digest"] for side in ("real", "refined")} | {
        key: test[key] for key in ("count", "seed", "name")
    }
