"""A sheet from a file of company facts: what counts where filings repeat, amend and leave out."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview.desk import microcap
from tapeview.desk.microcap import read_company, read_notes, sheet

ON = date(2026, 11, 23)
CASH = "CashAndCashEquivalentsAtCarryingValue"
SPENT = "NetCashProvidedByUsedInOperatingActivities"
SHARES = "EntityCommonStockSharesOutstanding"


def row(end, val, filed, start=None, form="10-Q"):
    """One reported value, with the fields a real file has."""
    extra = {} if start is None else {"start": start}
    return {"end": end, "val": val, "accn": "0000000000-26-000001", "fy": 2026, "fp": "Q3", "form": form,
            "filed": filed, "frame": "CY2026Q3I", **extra}  # fmt: skip


def facts(**concepts):
    """A file of company facts of these concepts."""
    tree = {"cik": 1234567, "entityName": "Small Corp", "facts": {"dei": {}, "us-gaap": {}}}
    for name, rows in concepts.items():
        taxonomy, unit = ("dei", "shares") if name == SHARES else ("us-gaap", "USD")
        taxonomy = "dei" if name.startswith("Entity") else taxonomy
        tree["facts"][taxonomy][name] = {"label": name, "description": "…", "units": {unit: rows}}
    tree["facts"]["us-gaap"]["Assets"] = {"label": "Assets", "units": {"USD": [{"odd": True}]}}
    return tree


@pytest.fixture
def company(tmp_path):
    """Write a file and read it."""

    def make(tree, on=ON):
        path = tmp_path / "CIK0001234567.json"
        path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
        return read_company(path, on)

    return make


WHOLE = {
    SHARES: [row("2026-08-01", 9_000_000, "2026-08-10"), row("2026-11-05", 10_000_000, "2026-11-12")],
    "EntityPublicFloat": [row("2025-12-31", 21_000_000, "2026-03-20", form="10-K")],
    CASH: [row("2026-06-30", 5_000_000, "2026-08-10"), row("2026-09-30", 3_000_000, "2026-11-12")],
    SPENT: [
        row("2026-06-30", -2_000_000, "2026-08-10", "2026-01-01"),
        row("2026-09-30", -2_760_000, "2026-11-12", "2026-01-01"),
        row("2026-09-30", -920_000, "2026-11-12", "2026-07-01"),
    ],
}  # fmt: skip


def test_the_sheet_of_a_small_company(company):
    made = sheet("SML", company(facts(**WHOLE)), ON, Decimal("1.25"), float_shares=6_000_000)
    assert made.name == "Small Corp"
    assert made.market_value == Decimal(12_500_000)
    assert made.float_value.value == 21_000_000
    # 920,000 over the 92 days of the quarter are 10,000 a day; 3,000,000 last 300 days, 54 of which are over.
    assert made.burn_a_month == Decimal(round(10_000 * 365.25 / 12))
    assert made.runway_months == pytest.approx(300 / (365.25 / 12))
    assert made.left_months == pytest.approx(246 / (365.25 / 12))
    assert made.missing == ()


def test_what_was_filed_after_the_day_is_not_known_yet(company):
    made = company(facts(**WHOLE), on=date(2026, 11, 11))
    assert (made.shares.value, made.cash.value, made.cash.end) == (9_000_000, 5_000_000, date(2026, 6, 30))
    assert made.operating.value == -2_000_000


def test_an_amended_filing_replaces_what_it_amends_and_is_told(company):
    rows = [*WHOLE[CASH], row("2026-09-30", 1_500_000, "2026-11-20", form="10-Q/A")]
    known = company(facts(**{**WHOLE, CASH: rows}))
    assert (known.cash.value, known.cash.form, known.cash.amended) == (1_500_000, "10-Q/A", True)
    made = sheet("SML", known, ON, Decimal(1), float_shares=1)
    assert any("amended on 2026-11-20" in text for text in made.missing)


def test_a_value_repeated_by_a_later_filing_is_not_an_amendment(company):
    rows = [*WHOLE[CASH], row("2026-09-30", 3_000_000, "2026-11-20")]
    assert not company(facts(**{**WHOLE, CASH: rows})).cash.amended


def test_only_the_year_to_date_gives_the_rate_of_that(company):
    made = sheet("SML", company(facts(**{**WHOLE, SPENT: WHOLE[SPENT][:2]})), ON, None)
    assert made.burn_a_month == Decimal(round(2_760_000 / 273 * 365.25 / 12))


@pytest.mark.parametrize("name", [SHARES, CASH, SPENT])
def test_a_missing_concept_is_said_and_never_taken_for_nothing(company, name):
    made = sheet("SML", company(facts(**{key: rows for key, rows in WHOLE.items() if key != name})), ON, Decimal(1))
    assert f"no {name} filed by 2026-11-23" in made.missing
    assert "float in shares is in no filing: give it" in made.missing
    unknown = {SHARES: made.market_value, CASH: made.runway_months, SPENT: made.burn_a_month}
    assert unknown[name] is None


def test_another_name_for_cash_is_taken_where_it_is_newer(company):
    other = "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents"
    rows = [row("2026-10-31", 7, "2026-11-12")]
    assert company(facts(**WHOLE, **{other: rows})).cash[4] == other
    same = [row("2026-09-30", 7, "2026-11-12")]
    assert company(facts(**WHOLE, **{other: same})).cash[4] == CASH


def test_old_figures_are_said_to_be_old(company):
    known = company(facts(**WHOLE), on=date(2027, 6, 1))
    made = sheet("SML", known, date(2027, 6, 1), Decimal(1), float_shares=1)
    assert sum("days old" in text for text in made.missing) == 3


def test_a_company_that_earns_cash_has_no_end_of_it(company):
    rows = [row("2026-09-30", 920_000, "2026-11-12", "2026-07-01")]
    made = sheet("SML", company(facts(**{**WHOLE, SPENT: rows})), ON, Decimal(1))
    assert made.runway_months == float("inf")
    assert made.burn_a_month < 0


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"facts": 3}', '{"facts": {"us-gaap": {"Cash": {"units": {"USD": [{"end": "soon"}]}}}}}', "\x00"],
)
def test_what_is_no_file_of_company_facts_is_refused_with_its_name(company, text):
    with pytest.raises(BadInput, match="CIK0001234567"):
        company(text)


def test_a_company_without_a_single_concept_is_one_of_which_nothing_is_known(company):
    made = sheet("SML", company('{"facts": {}}'), ON, None)
    assert (made.name, made.market_value, made.runway_months, len(made.missing)) == ("SML", None, None, 5)


def test_a_file_without_end_is_not_read_to_its_end(company, monkeypatch):
    whole = json.dumps(facts(**WHOLE))
    monkeypatch.setattr(microcap, "MAX_BYTES", len(whole.encode()))
    assert company(whole).name == "Small Corp"
    with pytest.raises(BadInput, match="more than"):
        company(whole + " ")


@pytest.mark.parametrize(("start", "taken"), [("2026-08-02", True), ("2026-08-03", False)])
def test_a_period_of_less_than_sixty_days_gives_no_rate(company, start, taken):
    rows = [row("2026-09-30", -1, "2026-11-12", start)]
    assert (company(facts(**{**WHOLE, SPENT: rows})).operating is not None) == taken


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="absent"):
        read_company(tmp_path / "absent.json", ON)


def test_notes_come_from_toml_or_csv_by_date_and_only_those_ahead_are_shown(company, tmp_path):
    toml, table = tmp_path / "notes.toml", tmp_path / "notes.csv"
    toml.write_text(
        '[[note]]\ndate = 2026-12-15\nsymbol = "SML"\ntext = "PDUFA"\n'
        '[[note]]\ndate = 2026-11-23\nsymbol = "sml"\ntext = "results"\n'
        '[[note]]\ndate = 2026-11-22\nsymbol = "SML"\ntext = "over"\n'
        '[[note]]\ndate = 2026-12-01\nsymbol = "XYZ"\ntext = "x"\n'
    )
    table.write_text(
        "date,symbol,text\n2026-12-15,SML,PDUFA\n\n2026-11-23,sml,results\n2026-11-22,SML,over\n2026-12-01,XYZ,x\n"
    )
    assert read_notes(toml) == read_notes(table)
    made = sheet("SML", company(facts(**WHOLE)), ON, None, notes=read_notes(toml))
    assert [note.text for note in made.ahead] == ["results", "PDUFA"]


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("n.csv", "day,symbol,text\n", "line 1"),
        ("n.csv", "date,symbol,text\n2026-13-01,A,b\n", "line 2: date"),
        ("n.csv", "date,symbol,text\n2026-12-01,A\n", "2 fields"),
        ("n.csv", 'date,symbol,text\n"2026-12-01,A,b\n', "line"),
        ("n.toml", "[[note]]\ndate = 3\n", "date"),
        ("n.toml", "note = [", "note"),
    ],
)
def test_notes_that_are_none_are_refused_with_the_line(tmp_path, name, text, part):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadInput, match=name) as caught:
        read_notes(path)
    assert part in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_company_or_a_clear_refusal(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "x.json"
    path.write_bytes(data)
    with pytest.raises(BadInput):
        read_company(path, ON)
