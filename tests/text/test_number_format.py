"""What cells show, as a spreadsheet program shows them."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.text.number_format import shown


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1210.0000000000002, "General", "1210"),
        (0.1 + 0.2, "General", "0.3"),
        (7, "General", "7"),
        (1e-7, "General", "0.0000001"),
        (123456789012345680.0, "General", "123456789012346000"),
        (0.07, "0%", "7%"),
        (0.125, "0.00%", "12.50%"),
        (0.73, "0.00 %", "73.00 %"),
        (-0.07, "0%", "-7%"),
        (42, "00000", "00042"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (0.5, "#,##0.00", "0.50"),
        (0.5, "#.##", ".5"),
        (2, "0.##", "2."),
        (2.345, "0.00", "2.35"),
        (1.005, "0.00", "1.01"),
        (12.5, '"€" 0.00', "€ 12.50"),
        (12.5, "[$€-407] #,##0.00", "€ 12.50"),
        (12.5, '#,##0.00 "€"', "12.50 €"),
        (1234.5, '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)', "$1,234.50"),
        (-1234.5, '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)', "$(1,234.50)"),
        (-5, "0;(0)", "(5)"),
        (-5, "0;[Red]-0", "-5"),
        (0, '0;-0;"none"', "none"),
        (42, "00,000", "00,042"),
        (-5, '0;;"zero"', ""),
        (0, '0;;"zero"', "zero"),
        (5551234, "000-0000", "555-1234"),
        (8001234567, "(000) 000-0000", "(800) 123-4567"),
        (1234567, "0.0,,", "1.2"),
        (12345, '#,##0,"k"', "12k"),
        (12345, "0.00E+00", "1.23E+04"),
        (0.00012, "0.0E+00", "1.2E-04"),
        (0.5, "# ?/?", "1/2"),
        (2.75, "# ?/?", "2 3/4"),
        (1.333, "# ??/??", "1 1/3"),
        (3, "# ?/?", "3"),
        (1.25, "?/4", "5/4"),
        (5, "0 kg", "5 kg"),
        (5, '0" m²"', "5 m²"),
        (3.0, "@", "3"),
        (-0.001, "0.00", "0.00"),
        (dt.time(2, 1), "h:mm", "2:01"),
        (dt.time(14, 5), "h:mm AM/PM", "2:05 PM"),
        (dt.time(0, 5), "hh:mm AM/PM", "12:05 AM"),
        (dt.time(14, 5, 9), "hh:mm:ss", "14:05:09"),
        (dt.datetime(2026, 3, 4), "dd/mm/yyyy", "04/03/2026"),
        (dt.datetime(2026, 3, 4), "d mmmm yyyy", "4 March 2026"),
        (dt.datetime(2026, 3, 4), 'ddd, mmm d "of" yy', "Wed, Mar 4 of 26"),
        (dt.datetime(2026, 3, 4), "[$-409]mmmm yyyy", "March 2026"),
        (dt.datetime(2026, 3, 4, 15, 30), "yyyy-mm-dd hh:mm", "2026-03-04 15:30"),
        (dt.datetime(2026, 3, 4), "mm-dd-yy", "2026-03-04"),
        (dt.datetime(2026, 3, 4, 15, 30), "m/d/yy h:mm", "2026-03-04 15:30:00"),
        (dt.timedelta(hours=27, minutes=4), "[h]:mm", "27:04"),
        (dt.timedelta(minutes=3, seconds=5.25), "[mm]:ss.0", "03:05.3"),
        (dt.timedelta(hours=1), "General", "1:00:00"),
    ],
)
def test_a_value_is_shown_as_its_format_writes_it(value: Any, code: str, text: str) -> None:
    assert shown(value, code) == text


@given(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.datetimes()),
    st.text(alphabet='0#?.,;%E+-/hmsyd[]"\\\\_*@ $€x', max_size=20),
)
def test_no_format_stops_a_sheet(value: Any, code: str) -> None:
    assert isinstance(shown(value, code), str)
