"""`tapeview plan`: layers, their stops, and what the day bears, in a shell."""

from __future__ import annotations

import json

import pytest

from tapeview.cli.entry import main


def run(capsys, *words):
    """Run a command: (exit code, stdout, stderr)."""
    code = main(["plan", *map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


def told(capsys, *words):
    """Exit code and JSON of a command."""
    code, out, _ = run(capsys, *words, "--json")
    return code, json.loads(out)


def test_two_and_two_of_mes_stop_at_5000(capsys):
    code, found = told(capsys, "MES", "buy", "2@5000:4996", "2@5004")
    assert code == 0
    assert [(leg["average"], leg["stop"], leg["open_risk"]) for leg in found["legs"]] == [
        ("5000.00", "4996.00", "40.00"), ("5002.00", "5000.00", "40.00"),
    ]  # fmt: skip
    assert found["ok"] is True


def test_a_stop_of_4999_75_is_refused_with_exit_1_and_the_stop_that_will_do(capsys):
    code, found = told(capsys, "MES", "buy", "2@5000:4996", "2@5004:4999.75", "1@5008")
    assert code == 1
    assert [leg["accepted"] for leg in found["legs"]] == [True, False]
    assert "5000.00" in found["reason"]
    code, out, _ = run(capsys, "MES", "buy", "2@5000:4996", "2@5004:4999.75")
    assert code == 1
    assert "REFUSED: a stop at 4999.75 risks 45.00, more than 40.00: 5000.00 or closer" in out


def test_what_goes_out_near_the_target_and_the_worst_case(capsys):
    code, found = told(
        capsys, "MES", "sell", "2@5000:5004", "2@4996", "--target", 4990, "--costs", "ibkr-micro", "--slip", 1
    )
    assert code == 0
    assert found["out"] == {"from": "4991.50", "size": "2", "rest": "2"}
    assert float(found["worst_case"]) == pytest.approx(40 + 4 * 1.24 + 4 * 1.25)


def test_the_day_bears_a_worst_case_up_to_what_is_left_of_it(capsys):
    words = ("MES", "buy", "2@5000:4996", "--slip", 0, "--account", 2500)
    code, found = told(capsys, *words)
    assert (code, found["day"]["limit"], found["day"]["allowed"]) == (0, "50", True)
    code, found = told(capsys, *words, "--day", "-10")
    assert (code, found["day"]["left"]) == (0, "40")
    code, found = told(capsys, *words, "--day=-10", "--open", "0.01")
    assert (code, found["day"]["allowed"]) == (1, False)
    assert "40.01" in found["reason"]
    code, found = told(capsys, *words, "--day", "-50")
    assert (code, found["day"]["locked"]) == (1, True)


def test_an_average_that_never_ends_has_twelve_digits(capsys):
    _, found = told(capsys, "MES", "buy", "2@5000:4996", "1@5004")
    assert found["legs"][1]["average"] == "5001.33333333"


def test_it_reads_on_paper(capsys):
    code, out, error = run(capsys, "MNQ", "buy", "1@20000:19990", "--target", 20020, "--account", 50000)
    assert (code, error) == (0, "")
    assert out.splitlines()[1].split() == ["1", "1", "20000.00", "20000.00", "19990.00", "20.00"]
    assert "1 from 20016.00 on, 0 stay and trail" in out
    assert "1,000.00 left of 1,000.00: borne" in out


def test_help_tells_what_a_stop_does_not_do(capsys):
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    assert "No stop works in a halt or across a gap." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "words",
    [
        "", "MES", "MES buy", "MES up 1@5000:4999", "MES buy 1@5000", "MES buy 5000:4999", "MES buy 1@5000:5001",
        "MES sell 1@5000:4999", "MES buy 0@5000:4999", "MES buy 1.5@5000:4999", "MES buy 1@5000.1:4999",
        "MES buy 1@5000:", "MES buy 1@x:y", "MES buy 1@5000:4999 --target 4999", "MES buy 1@5000:4999 --target x",
        "MES buy 1@5000:4999 --account 0", "MES buy 1@5000:4999 --account 1 --day x",
        "MES buy 1@5000:4999 --account 1 --open=-1", "XYZ buy 1@1:0", "MES buy 1@5000:4999 --costs nowhere.toml",
    ],
)  # fmt: skip
def test_wrong_words_get_one_clear_line_and_exit_2(capsys, words):
    code, out, error = run(capsys, *words.split())
    assert (code, out) == (2, "")
    assert error.startswith("tapeview: ")
    assert len(error.strip().splitlines()) == 1
