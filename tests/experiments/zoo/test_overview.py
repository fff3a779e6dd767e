import json
from pathlib import Path

from experiments.zoo import overview


def result(name, raw_mm, refined_mm):
    def row(mean_mm, two_sample):
        statistics = {key: {"value": 0.01} for key in overview.SHOWN if key != "two_sample"}
        errors = {column: {"mean_mm": mean_mm} for column in ("augmented", "plain")}
        return errors | {"judged": {"two_sample": two_sample, "statistics": statistics}}

    own = {"statistics": {key: 0.02 for key in overview.SHOWN if key != "two_sample"}}
    rows = {"raw": row(raw_mm, 0.9), "refined": row(refined_mm, 0.6)}
    return {"camera": name, "rows": rows, "own": own, "raw_over_camera": {"augmented": 1.5, "plain": None}}


def test_cameras_stand_side_by_side(capsys):
    for name, raw_mm in (("a", 20.0), ("b", 30.0)):
        Path(f"{name}.json").write_text(json.dumps(result(name, raw_mm, 10.0)))
    overview.main(["a.json", "b.json"])
    lines = capsys.readouterr().out.splitlines()
    assert "| a | 20.00, 20.00 |  |  |  | 10.00, 10.00 |  | 1.50,  |" in lines
    assert "| b | 0.600 | 1.00 (2.00) | 0.01 (0.02) | 0.01 (0.02) | 0.0 (0.0) |" in lines
