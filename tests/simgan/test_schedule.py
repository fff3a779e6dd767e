import pytest

from refiner.simgan.schedule import UpdateSchedule


def test_the_papers_schedule_for_hands():
    phases = [UpdateSchedule(500, 200, 2, 1).phase(step) for step in range(706)]
    assert phases[:500] == ["refiner_warmup"] * 500
    assert phases[500:700] == ["discriminator_warmup"] * 200
    # K_g = 2 counts updates, not pairs of them.
    assert phases[700:] == ["refiner", "refiner", "discriminator"] * 2


def test_phase_is_a_pure_function_far_out():
    schedule = UpdateSchedule(refiner_warmup=0, discriminator_warmup=3, k_g=1, k_d=2)
    assert [schedule.phase(step) for step in (3, 4, 5, 3_000_000)] == [
        "refiner",
        "discriminator",
        "discriminator",
        "refiner",
    ]


@pytest.mark.parametrize(
    "wrong", [{"k_g": 0}, {"k_d": 0}, {"refiner_warmup": -1}, {"discriminator_warmup": -1}, {"dropout_warmup": -1}]
)
def test_senseless_schedules_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted warm-ups >= 0"):
        UpdateSchedule(**wrong)


def test_dropout_is_learnt_after_its_warmup():
    schedule = UpdateSchedule(0, 0, 1, 1, dropout_warmup=10)
    assert [schedule.learns_dropout(step) for step in (0, 9, 10, 11)] == [False, False, True, True]
    assert UpdateSchedule(dropout_warmup=0).learns_dropout(0)
