"""Limits are settings like all others: bounded, explained, and never read from anywhere but the settings."""

from __future__ import annotations

import msgspec
import pytest

from feeds.errors import BadInput
from tapeview import config
from tapeview.cli.entry import main
from tapeview.desk.limits import DEFAULTS, Limits

FIELDS = msgspec.structs.fields(Limits)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_limit_has_bounds_that_its_default_keeps_a_sentence_and_a_source(field):
    schema = msgspec.json.schema(Limits)["$defs"]["Limits"]["properties"][field.name]
    assert schema["minimum"] <= field.default <= schema["maximum"]
    assert schema["description"].endswith(".")
    assert schema["source"][0] in "PXSJ"
    told = config.description(f"desk.limits.{field.name}")
    for part in (schema["description"], f"at least {schema['minimum']}", schema["source"]):
        assert part in told


def test_the_defaults_are_those_of_the_specification():
    want = {
        "daily_loss": 0.02, "daily_warn_1": 0.5, "daily_warn_2": 0.75, "adv_warn": 0.01, "adv_most": 0.02,
        "adv_part": 0.10, "adv_days": 20, "naked_s": 5, "unknown_s": 3, "naked_repeat_s": 30, "trail_k": 2.5,
        "trail_minutes": 14, "trail_arm_r": 1, "trail_step_ms": 250, "corr_sample_s": 60, "corr_fast_min": 60,
        "corr_slow": 0.94, "corr_enter": 0.80, "corr_leave": 0.70, "corr_low": 0.60, "corr_stress": 0.15,
        "corr_most": 0.99, "corr_prior": 0.5, "corr_prior_n": 30, "work_min": 120, "break_min": 20, "nudge_min": 45,
        "grace_min": 10, "idle_min": 10, "kelly_part": 0.25, "kelly_cap": 0.01, "add_after_r": 0.5, "out_near": 0.8,
        "cooldown_min": 10, "cooldown_size": 0.5, "cooldown_trades": 2, "losses_stop": 3, "cost_red": 0.10,
    }  # fmt: skip
    assert {name: getattr(DEFAULTS, name) for name in want} == want


def test_limits_come_from_a_file_and_from_set_words(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[desk.limits]\ndaily_loss = 0.01\nlosses_stop = 2\n")
    loaded = config.load([path], ["desk.limits.losses_stop=4"])
    assert loaded.config.desk.limits == Limits(daily_loss=0.01, losses_stop=4)
    rows = {key: (value, origin) for key, value, origin in config.rows(loaded)}
    assert rows["desk.limits.daily_loss"] == (0.01, str(path))
    assert rows["desk.limits.losses_stop"] == (4, "--set")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("daily_loss = 0.06", "<= 0.05"), ("losses_stop = 0", ">= 1"), ("daily_los = 1", "'desk.limits.daily_loss'"),
        ("work_min = 1.5", "int"), ("daily_loss = nan", "daily_loss"),
    ],
)  # fmt: skip
def test_a_limit_out_of_bounds_is_refused_with_the_file_and_the_bound(tmp_path, text, part):
    path = tmp_path / "mine.toml"
    path.write_text(f"[desk.limits]\n{text}\n")
    with pytest.raises(BadInput) as caught:
        config.load([path])
    assert str(path) in str(caught.value)
    assert part in str(caught.value)


def test_a_limit_can_be_asked_for_and_stands_in_the_schema(capsys):
    assert main(["config", "explain", "desk.limits.daily_loss"]) == 0
    assert "desk.limits.daily_loss = 0.02" in capsys.readouterr().out
    stands = config.schema()["$defs"]["Limits"]["properties"]["naked_s"]
    assert (stands["minimum"], stands["maximum"]) == (1, 60)
