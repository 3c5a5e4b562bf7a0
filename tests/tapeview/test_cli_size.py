"""`tapeview size`: the arithmetic of sizes in a shell."""

from __future__ import annotations

import json

import pytest

from tapeview.cli.entry import main

DAYS = ",".join(["250000"] * 20)


def run(capsys, *words):
    """Run a command: (exit code, stdout, stderr)."""
    code = main(["size", *map(str, words)])
    out = capsys.readouterr()
    return code, out.out, out.err


def told(capsys, *words):
    """The JSON of a command that is fine."""
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


def test_one_percent_of_ten_thousand_at_sixteen_ticks_of_mes(capsys):
    found = told(capsys, "MES", "--account", 10000, "--ticks", 16, "--costs", "ibkr-micro", "--slip", 0)
    assert (found["budget"], found["size"], found["loss_per_lot"], found["loss"]) == ("100", "4", "21.24", "84.96")
    assert found["warnings"] == ["costs ibkr-micro: verify them against your statement"]
    code, out, error = run(capsys, "MES", "--account", 10000, "--ticks", 16, "--costs", "ibkr-micro")
    assert code == 0
    assert "1.24 a round trip = 0.99 ticks = 6.2 % of R" in out
    assert "verify" in error


def test_a_stop_may_be_told_as_prices(capsys):
    by_price = told(capsys, "MNQ", "--account", 10000, "--entry", "20000", "--stop", "20005")
    assert by_price == told(capsys, "MNQ", "--account", 10000, "--ticks", 20)


def test_twelve_percent_of_r_are_too_many_costs(capsys):
    words = ("MNQ", "--account", 10000, "--ticks", 20, "--costs", "ibkr-micro")
    found = told(capsys, *words)
    assert (found["cost_ticks"], found["cost_r"], found["costly"]) == (2.48, 0.124, True)
    assert "12.4 % of R  TOO COSTLY" in run(capsys, *words)[1]


def test_a_record_of_trades_gives_kelly_and_how_sure_it_is(capsys):
    found = told(capsys, "MES", "--account", 10000, "--ticks", 16, "--wins", 60, "--trades", 100, "--ratio", 1.5)[
        "kelly"
    ]
    assert found["expectancy_r"] == pytest.approx(0.5)
    assert found["profit_factor"] == pytest.approx(2.25)
    assert found["full"] == pytest.approx(1 / 3)
    assert found["break_even"] == pytest.approx(0.4)
    assert (found["trades_needed"], found["losing_run_in_1000"], found["suggested"]) == (24, 7, 0.01)


def test_the_volume_of_twenty_days_caps_the_size(capsys):
    words = ("ABC", "--tick", "0.01", "--account", 10**7, "--entry", 3, "--stop", "2.90", "--volumes", DAYS)
    found = told(capsys, *words, "--sigma", "8%", "--rate", 20000)
    assert (found["by_risk"], found["size"]) == ("909090", "5000")
    assert (found["volume"]["warn"], found["volume"]["most"]) == ("2500", "5000")
    assert found["volume"]["exit_s"] == pytest.approx(5000 / (0.1 * 20000 / 60))
    assert found["volume"]["impact"] == [pytest.approx(0.0057, abs=5e-5), pytest.approx(0.0113, abs=5e-5)]


def test_nine_days_are_insufficient_history(capsys):
    short = ",".join(["250000"] * 9)
    words = ("ABC", "--tick", "0.01", "--account", 10**7, "--ticks", 10, "--volumes", short)
    code, out, _ = run(capsys, *words)
    assert code == 1
    assert "insufficient history" in out
    assert told(capsys, *words, "--last-30", 20000)["size"] == "2000"


def test_lots_of_a_coin_are_told_in_coins(capsys):
    words = ("BTCUSDT", "--tick", "0.10", "--lot", "0.001", "--account", 100000, "--entry", "60000", "--stop", "59500")
    assert told(capsys, *words, "--slip", 0)["size"] == "2.000"
    found = told(capsys, *words, "--slip", 0, "--costs", "binance-spot")
    assert found["round_trip"] == "0.12"  # a thousandth of a coin, a tenth of a percent, twice
    assert found["size"] == "1.612"  # 1000 / (0.50 + 0.12)


def test_an_account_too_small_for_one_lot_exits_with_1(capsys):
    code, out, _ = run(capsys, "MES", "--account", 100, "--ticks", 16)
    assert code == 1
    assert "size        0" in out or "size      0" in out


def test_costs_may_come_from_a_file_and_settings_from_words(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[[profile]]\nname='mine'\n[[profile.tier]]\ncommission='0.5'\n")
    assert told(capsys, "MES", "--account", 10000, "--ticks", 16, "--costs", path)["round_trip"] == "1.0"
    found = told(capsys, "MES", "--account", 10000, "--ticks", 16, "--set", "desk.limits.trade_risk=0.02")
    assert found["budget"] == "200"


def test_a_contract_in_doubt_is_said_to_be(capsys):
    assert "verify" in run(capsys, "MNG", "--account", 10000, "--ticks", 10)[2]


@pytest.fixture
def company(tmp_path):
    """A company that spends 10,000 a day and had 3,000,000 at the end of September, and a note."""
    end = {"end": "2026-09-30", "filed": "2026-11-12", "form": "10-Q"}
    gaap = {
        "CashAndCashEquivalentsAtCarryingValue": {"units": {"USD": [end | {"val": 3_000_000}]}},
        "NetCashProvidedByUsedInOperatingActivities": {
            "units": {"USD": [end | {"val": -920_000, "start": "2026-07-01"}]}
        },
    }
    dei = {"EntityCommonStockSharesOutstanding": {"units": {"shares": [end | {"val": 10_000_000}]}}}
    facts, notes = tmp_path / "facts.json", tmp_path / "notes.csv"
    facts.write_text(json.dumps({"entityName": "Small Corp", "facts": {"us-gaap": gaap, "dei": dei}}))
    notes.write_text("date,symbol,text\n2026-12-15,SML,PDUFA\n")
    return ["--company", facts, "--notes", notes, "--on", "2026-11-23"]


def test_the_sheet_of_a_small_company_stands_below_its_size(capsys, company):
    words = ("SML", "--tick", "0.01", "--account", 25000, "--entry", "1.25", "--stop", "1.15", *company)
    found = told(capsys, *words, "--float", 6000000)["company"]
    assert (found["name"], found["market_value"], found["float_shares"]) == ("Small Corp", "12500000", 6_000_000)
    assert found["left_months"] == pytest.approx(246 / (365.25 / 12))
    assert found["ahead"] == [{"date": "2026-12-15", "symbol": "SML", "text": "PDUFA"}]
    assert found["missing"] == []
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "12,500,000 with 10,000,000 shares of 2026-09-30" in out
    assert "8.1 months left" in out
    assert "2026-12-15  PDUFA" in out
    assert "float in shares is in no filing" in out


def test_a_sheet_without_its_file_or_of_no_day_is_refused(capsys, company):
    words = ("SML", "--tick", "0.01", "--account", 25000, "--ticks", 10)
    assert run(capsys, *words, "--float", 3)[0] == 2
    assert run(capsys, *words, *company[:-1], "tomorrow")[0] == 2
    assert run(capsys, *words, "--company", "absent.json")[0] == 2


def test_help_tells_what_to_know_before_believing_it(capsys):
    with pytest.raises(SystemExit):
        main(["size", "--help"])
    assert "97 % lost money" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "words",
    [
        "",
        "MES",
        "XYZ --account 1 --ticks 1",
        "MES --account -1 --ticks 1",
        "MES --account x --ticks 1",
        "MES --account 1e99 --ticks 1",
        "MES --account 1",
        "MES --account 1 --ticks 0",
        "MES --account 1 --ticks 1.5",
        "MES --account 1 --ticks 3 --stop 5000",
        "MES --account 1 --ticks 3 --costs binance-spot",
        "MES --account 1 --entry 5000",
        "MES --account 1 --entry 5000 --stop 5000",
        "MES --account 1 --entry 5000.10 --stop 4999",
        "MES --account 1 --ticks 1 --risk 101%",
        "MES --account 1 --ticks 1 --risk 0",
        "MES --account 1 --ticks 1 --risk 5",
        "MES --account 1 --ticks 1 --costs none",
        "MCL --account 1 --ticks 1 --costs ibkr-micro",
        "MES --account 1 --ticks 1 --month-lots -3",
        "MES --account 1 --ticks 1 --slip x",
        "MES --account 1 --ticks 1 --wins 3",
        "MES --account 1 --ticks 1 --wins 3 --trades 2 --ratio 1",
        "MES --account 1 --ticks 1 --wins 1 --trades 2 --ratio 0",
        "MES --account 1 --ticks 1 --volumes 1,x",
        "MES --account 1 --ticks 1 --volumes=-1",
        "MES --account 1 --ticks 1 --rate 5",
        "MES --lot 2 --account 1 --ticks 1",
        "ABC --tick 0 --account 1 --ticks 1",
        "MES --account 1 --ticks 1 --set desk.limits.trade_risk=1",
    ],
)
def test_wrong_words_get_one_clear_line_and_exit_2(capsys, words):
    code, out, error = run(capsys, *words.split())
    assert (code, out) == (2, "")
    assert error.startswith("tapeview: ")
    assert len(error.strip().splitlines()) == 1
