from pathlib import PurePath

import pytest

from refiner.datasets.layouts.names import file_key, natural_key, stored_name


@pytest.mark.parametrize(
    "names",
    [
        ["frame_2", "frame_10"],
        ["a01", "a1", "a2"],
        ["1551915398.95", "1551915398.953", "1551915399.0", "1551915399.05", "1551915399.1"],
        ["2020.9.3", "2020.11.3"],
        ["seq 2", "seq 10", "seq b"],
    ],
)
def test_numbers_sort_as_numbers(names):
    assert sorted(dict.fromkeys(names[::-1]), key=natural_key) == names


def test_the_point_before_a_suffix_is_no_decimal_one():
    assert sorted(["1.10.png", "1.9.png", "2.png", "10.png"], key=file_key) == [
        "1.10.png",
        "1.9.png",
        "2.png",
        "10.png",
    ]


def test_names_are_text():
    assert stored_name(PurePath("a/ü.png")) == "a/ü.png"
    assert stored_name(PurePath("a/\udcca\udcd6_1.png")) == "a/\\xca\\xd6_1.png"
