"""The rows of the dialogs' tables."""

from desk_cases import clicks, in_doubt, make_session, put_result, solved_mm

from refiner.annotate.desk.desk import Desk
from refiner.annotate.sessions.results import StageResult
from refiner.web.annotation.dialogs import PAGE, doubt_rows, pages


def test_labels_that_were_not_kept_are_listed_before_solved_joints(tmp_path):
    with make_session(tmp_path) as session:
        session.put_labels([clicks(2, {1: (19.786, 26.214)})], "anna")  # the joint is seen 5 px above
        conflicts = [{"frame": 2, "joint": "mid", "what": "click", "off_px": 5.0}]
        session.put_result(StageResult("lift", solved_mm(), {}, {"revision": session.revision, "conflicts": conflicts}))
        put_result(session, **in_doubt(f4=3.0))
        rows = doubt_rows(Desk(session))
    assert [(row["frame"], row["joint"], row["solved"]) for row in rows] == [(2, "mid", False), (4, "tip", True)]
    assert "5.0 px" in rows[0]["why"]


def test_a_table_has_a_footer_only_where_it_has_several_pages():
    assert "hide-pagination" in pages(range(PAGE))
    assert "hide-pagination" not in pages(range(PAGE + 1))
    assert ':rows-per-page-options="[12]"' in pages([])  # one choice is none: nothing is asked
