"""A roster file: what it may look like, and every mistake in it told at once with what to write."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.importing import atlas
from collector.roster import MOST, Line, Mistake, RosterError, parse
from collector.roster.mistakes import SHOWN
from collector.roster.table import COLUMNS, HEADER, LONGEST


def lines(text: str | bytes) -> tuple[Line, ...]:
    return parse(text if isinstance(text, bytes) else text.encode(), atlas()).lines


def mistakes(text: str | bytes) -> list[Mistake]:
    with pytest.raises(RosterError) as caught:
        lines(text)
    assert len(caught.value.mistakes) == min(caught.value.total, MOST)
    return list(caught.value.mistakes)


def told(text: str | bytes) -> list[str]:
    return [str(each) for each in mistakes(text)]


def test_the_example_is_a_roster_without_a_mistake() -> None:
    found = lines(Path("configs/roster.example.csv").read_bytes())
    assert len(found) >= 5
    assert {line.person for line in found if line.trips}
    assert len({line.person for line in found}) < len(found), "one person has two laptops"


def test_a_line_says_who_has_the_laptop_where_it_should_be_and_where_it_travels() -> None:
    (line,) = lines(
        f'{HEADER}\nana,pf3 abcde,us,"Richmond, VA",60,GB 2026-12-01..2026-12-14; FR+BE 2027-01-05..2027-01-09'
    )
    assert (line.line, line.person, line.serial, line.country) == (2, "ana", "PF3ABCDE", "US")
    assert line.home is not None
    assert (line.home.label, line.home.radius_km) == ("Richmond, Virginia, US", 60.0)
    assert [trip.countries for trip in line.trips] == [("GB",), ("FR", "BE")]


def test_a_day_of_travel_counts_wherever_in_the_world_it_is() -> None:
    (line,) = lines(f"{HEADER}\nana,PF3ABCDE,US,,,GB 2026-12-01..2026-12-14")
    assert line.trips[0].from_at == datetime(2026, 11, 30, 10, tzinfo=UTC)
    assert line.trips[0].until_at == datetime(2026, 12, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize("home", ["Richmond, VA", "Richmond, Virginia", "23220", "37.54, -77.44", "37.54 -77.44"])
def test_a_home_is_a_town_a_zip_code_or_a_point(home: str) -> None:
    (line,) = lines(f'{HEADER}\nana,PF3ABCDE,US,"{home}",,')
    assert line.home is not None
    assert round(line.home.point.lat) in (37, 38)
    assert round(line.home.point.lon) in (-77, -78)
    assert line.home.radius_km == 80


EXCEL = 'Person;Serial;Country;Home;Home radius km;Travel;;\r\n ana ;PF3ABCDE; DE ;"Berlin";"50";;;\r\n;;;;;;;\r\n'


@pytest.mark.parametrize(
    "data",
    [
        EXCEL.encode(),
        b"\xef\xbb\xbf" + EXCEL.encode(),
        b"sep=;\r\n" + EXCEL.encode(),
        EXCEL.replace("\r\n", "\r").encode(),
        EXCEL.replace(";", ",").encode(),
        EXCEL.replace(";", "\t").encode(),
    ],
    ids=["semicolons", "byte order mark", "sep", "carriage returns", "commas", "tabs"],
)
def test_what_a_spreadsheet_writes_is_read(data: bytes) -> None:
    (line,) = lines(data)
    assert (line.person, line.serial, line.country) == ("ana", "PF3ABCDE", "DE")
    assert line.home is not None
    assert line.home.radius_km == 50


def test_columns_may_stand_in_any_order_and_the_optional_ones_be_left_out() -> None:
    (line,) = lines("country,SERIAL,Person\nUS,PF3ABCDE,ana\n")
    assert (line.person, line.home, line.trips) == ("ana", None, ())


def test_the_order_of_lines_changes_nothing_and_any_cell_does() -> None:
    one, other, changed = (
        parse(f"person,serial,country\n{rest}".encode(), atlas()).digest
        for rest in ("ana,PF1A,US\nbob,PF1B,US", "bob,PF1B,US\nana,PF1A,US", "ana,PF1A,US\nbob,PF1B,GB")
    )
    assert one == other != changed


WRONG = {
    "ana,PF1A,UK,,,": ("country", "UK", "write GB"),
    "ana,PF1A,USA,,,": ("country", "USA", "write US"),
    "ana,PF1A,Germny,,,": ("country", "Germny", "write DE"),
    "ana,PF1A,Q9,,,": ("country", "Q9", "write the two letters"),
    "ana,PF1A,,,,": ("country", "", "write a country code"),
    ",PF1A,US,,,": ("person", "", "write who has the laptop"),
    "ana,,US,,,": ("serial", "", "write the serial number"),
    "ana,Default string,US,,,": ("serial", "Default string", "leave the line out"),
    "ana,0000000,US,,,": ("serial", "0000000", "leave the line out"),
    "ana,1.23E+11,US,,,": ("serial", "1.23E+11", "format the column as text"),
    "ana,PFñ1A,US,,,": ("serial", "PFñ1A", "farhand-agent show prints"),
    'ana,PF1A,US,"Richmnd, VA",,': ("home", "Richmnd, VA", "did you mean Richmond, Virginia, US?"),
    "ana,PF1A,US,Springfield,,": ("home", "Springfield", "write which one: Springfield, Missouri, US or"),
    "ana,PF1A,DE,Pyongyang,,": ("home", "Pyongyang", "correct the country or the place"),
    'ana,PF1A,DE,"37.54, -77.44",,': ("home", "37.54, -77.44", "correct the country or the place"),
    'ana,PF1A,US,"97.54, -77.44",,': ("home", "97.54, -77.44", "write latitude (-90 to 90)"),
    "ana,PF1A,US,Qxqzqx,x,": ("home", "Qxqzqx", "write a town with its state"),
    "ana,PF1A,US,00000,,": ("home", "00000", "a US ZIP code"),
    "ana,PF1A,US,23220,4,": ("home_radius_km", "4", "write kilometres, 5 to 2000"),
    "ana,PF1A,US,23220,nan,": ("home_radius_km", "nan", "write kilometres, 5 to 2000"),
    "ana,PF1A,US,23220,far,": ("home_radius_km", "far", "write kilometres, 5 to 2000"),
    "ana,PF1A,US,,80,": ("home_radius_km", "80", "write the home place as well"),
    "ana,PF1A,US,,,GB 1.12.2026..2026-12-14": ("travel", "1.12.2026", "write year-month-day"),
    "ana,PF1A,US,,,GB 2026-12-14..2026-12-01": (
        "travel", "GB 2026-12-14..2026-12-01", "write the earlier day first: 2026-12-01..2026-12-14"
    ),
    "ana,PF1A,US,,,2026-12-01..2026-12-14": ("travel", "2026-12-01..2026-12-14", "write COUNTRY FROM..TO"),
    "ana,PF1A,US,,,UK 2026-12-01..2026-12-14": ("travel", "UK", "write GB"),
    "ana,PF1A,US,,,London": ("travel", "London", "write COUNTRY FROM..TO"),
    "ana,PF1A,US,,,GB 2026-01-01..2027-06-01": ("travel", "GB 2026-01-01..2027-06-01", "approve at most a year"),
    "ana,PF1A,US,,,GB 1926-01-01..1926-06-01": ("travel", "1926-01-01", "write a year from 2000"),
    "ana,PF1A,US,Richmond, VA,80,": ("home_radius_km", "VA", "write kilometres"),
    "ana,PF1A,US,Richmond, VA,80,GB 2026-12-01..2026-12-14": ("(line)", "GB 2026-12-01..2026-12-14", "in quotes"),
    'ana,PF1A,US,"Richmond, VA,,': ("home", 'ana,PF1A,US,"Richmond, VA,,', "close the quote in this line"),
    "ana,PF\x001A,US,,,": ("(line)", "ana,PFU+00001A,US,,,", "type the line again"),
    "ana,PF1A,US,\x1b[31m,,": ("(line)", "ana,PF1A,US,U+001B[31m,,", "type the line again"),
}  # fmt: skip


@pytest.mark.parametrize("line", WRONG, ids=[each.replace("\0", "NUL").replace("\x1b", "ESC") for each in WRONG])
def test_a_mistake_is_told_with_line_column_value_and_what_to_write(line: str) -> None:
    column, value, advice = WRONG[line]
    found = mistakes(f"{HEADER}\nbob,PF9Z,US,,,\n{line}\neva,PF8Z,US,,,\n")
    assert (3, column, value) in {(each.line, each.column, each.value) for each in found}
    assert any(advice in each.advice for each in found if each.column == column)
    assert {each.line for each in found} == {3}


def test_every_mistake_of_a_file_is_told_at_once() -> None:
    first = ',PF1A,UK,"Richmnd, VA",80,GB'
    second = "ana,PF1B,US,23220,3,XX 2026-12-01..2026-12-02; GB 2026-13-01..2026-12-02"
    text = f"{HEADER}\n{first}\n{second}"
    assert [(each.line, each.column, each.value) for each in mistakes(text)] == [
        (2, "person", ""),
        (2, "country", "UK"),
        (2, "travel", "GB"),
        (3, "home_radius_km", "3"),
        (3, "travel", "XX"),
        (3, "travel", "2026-13-01"),
    ]


def test_a_serial_number_that_is_there_twice_names_both_lines() -> None:
    (found,) = mistakes("person,serial,country\nana,PF1A,US\nbob,PF1B,US\neva, pf 1a ,US\n")
    assert (found.line, found.column, found.value) == (4, "serial", "pf 1a")
    assert found.problem == "the serial number of line 2 as well"
    assert found.advice == "one laptop has one line: keep line 2 or line 4"


def test_columns_that_are_unknown_missing_or_there_twice_are_told() -> None:
    found = mistakes("person,serail,person,home,colour\nana,PF1A,x,23220,red\n")
    assert [(each.column, each.problem) for each in found] == [
        ("serail", "there is no such column"),
        ("person", "the column is there twice"),
        ("colour", "there is no such column"),
        ("serial", "the column is missing"),
        ("country", "the column is missing"),
    ]
    assert found[0].advice == "did you mean serial?"


@pytest.mark.parametrize(
    ("data", "problem", "advice"),
    [
        (b"", "the file is empty", "write a first line with the columns"),
        (b"person,serial,country\n", "the file names no laptop", "write one line per laptop"),
        (b"ana,PF1A,US\n", "the first line names no column of a roster", "write the names of the columns"),
        (b"PK\x03\x04rest", "a workbook or an archive", "CSV UTF-8"),
        ("person,serial,country".encode("utf-16"), "UTF-16 from byte 0 on", "CSV UTF-8"),
    ],
    ids=["empty", "header alone", "no header", "workbook", "utf-16"],
)
def test_a_file_that_is_no_roster_says_what_it_is(data: bytes, problem: str, advice: str) -> None:
    (found,) = mistakes(data)
    assert problem in found.problem
    assert advice in found.advice
    assert found.line == 1


def test_another_encoding_is_told_by_byte_and_line_and_other_lines_are_still_looked_at() -> None:
    data = b"person,serial,country\nJos\xe9,PF1A,US\nana,PF1B,UK\n"
    first, second = mistakes(data)
    assert (first.line, first.problem) == (2, "byte 25 of the file (0xe9) is not UTF-8")
    assert (second.line, second.value) == (3, "UK")


def test_the_byte_is_counted_from_the_beginning_of_the_file_with_its_mark() -> None:
    data = b"\xef\xbb\xbfperson,serial,country\r\nJos\xe9,PF1A,US\r\n"
    assert mistakes(data)[0].problem == f"byte {data.index(0xE9)} of the file (0xe9) is not UTF-8"
    assert "byte 3 " in mistakes(b"\xef\xbb\xbf\xff\n")[0].problem


def test_a_line_that_is_too_long_is_told_and_bounded() -> None:
    (found,) = mistakes(f"{HEADER}\nbob,PF1B,US,,,\n{'x' * (LONGEST + 1)},PF1A,US,,,\n")
    assert found.line == 3
    assert len(found.value) == SHOWN + 1


def test_too_many_mistakes_are_counted_and_the_first_are_told() -> None:
    rows = "\n".join(f"ana,PF{number:05},UK,,," for number in range(1000))
    with pytest.raises(RosterError) as caught:
        lines(f"{HEADER}\n{rows}")
    assert (len(caught.value.mistakes), caught.value.total) == (MOST, 1000)
    assert caught.value.mistakes[-1].line == MOST + 1


def test_an_open_quote_swallows_no_other_line() -> None:
    found = mistakes(f'{HEADER}\nana,PF1A,US,"Richmond,,\nbob,PF1B,UK,,,\n')
    assert [(each.line, each.column) for each in found] == [(2, "home"), (3, "country")]


CELLS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "ana", "PF1A", "US", "UK", "23220", "Richmond, VA", "80", "GB 2026-12-01..2026-12-14", '"', ";"]
    ),
)
QUOTED = CELLS.map(lambda cell: '"' + cell.replace('"', '""') + '"')
ROWS = st.lists(st.one_of(CELLS, QUOTED), max_size=8)
HEADERS = st.one_of(st.permutations(COLUMNS), st.lists(st.sampled_from([*COLUMNS, "serail", ""]), max_size=8))


def parsed_or_told(data: bytes) -> None:
    try:
        found = parse(data, atlas())
    except RosterError as error:
        assert 1 <= len(error.mistakes) <= MOST <= max(error.total, MOST)
        for each in error.mistakes:
            assert each.line >= 1
            assert each.column and each.problem and each.advice
            assert len(each.value) <= 6 * SHOWN + 1
            assert str(each).isprintable()
    else:
        assert found.lines
        assert all(line.person and line.serial and line.country for line in found.lines)


@settings(max_examples=400, deadline=None)
@given(
    header=HEADERS,
    rows=st.lists(ROWS, max_size=6),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_stands_in_the_cells_it_is_read_or_told(
    header: list[str], rows: list[list[str]], delimiter: str, end: str
) -> None:
    table = [header, *rows]
    parsed_or_told(end.join(delimiter.join(row) for row in table).encode("utf-8", "replace"))


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(max_size=300), begin=st.sampled_from([b"", HEADER.encode() + b"\n", b"\xef\xbb\xbfperson;serial\n"])
)
def test_whatever_the_bytes_are_they_are_read_or_told(data: bytes, begin: bytes) -> None:
    parsed_or_told(begin + data)
