import json
import sys

from experiments import compare_reports


def test_figures_stand_side_by_side(tmp_path, monkeypatch, capsys):
    verdict = {"accuracy": 0.58690, "ci95": [0.5756, 0.5974], "pictures": [6312, 6312], "epochs": [16]}
    before = {"patches": {"refined": verdict, "valid": True}, "curve": [1, 2, 3, 4, 5], "sets": {"path": "a.zarr"}}
    after = {
        "patches": {"refined": verdict | {"accuracy": 0.6, "ci95": [0.4, 0.8], "runs": [4, 4]}, "valid": False},
        "division": {"gap_frames": 20},
        "by_seed": [{"accuracy": 0.5, "ci95": [0, 1]}],
    }
    for name, report in (("before", before), ("after", after)):
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    monkeypatch.setattr(sys, "argv", ["compare", str(tmp_path / "before.json"), str(tmp_path / "after.json")])
    compare_reports.main()
    assert capsys.readouterr().out.splitlines() == [
        "| | before | after |",
        "|---|---|---|",
        "| patches.refined.accuracy | 0.587 (0.576 to 0.597) | 0.600 (0.400 to 0.800) |",
        "| patches.valid | yes | no |",
        "| patches.refined.runs | - | 4, 4 |",
        "| division.gap_frames | - | 20 |",
        "| by_seed.0.accuracy | - | 0.500 (0.000 to 1.000) |",
    ]
