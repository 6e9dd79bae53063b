"""Units of the service: section 4.3 of the page."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.units import (
    check_unit,
    convert,
    factor,
    find_unit,
    samples_per_unit,
)

MILLI, MICRO = Fraction(1, 1000), Fraction(1, 1_000_000)
TIMES = {
    "s": Fraction(1),
    "S": Fraction(1),
    "ms": MILLI,
    "MS": MILLI,
    "us": MICRO,
    "mcs": MICRO,
    "Mcs": MICRO,
    "\u00b5s": MICRO,
    "\u03bcs": MICRO,
    "\u00b5S": MICRO,
}
RATES = {
    "Hz": Fraction(1),
    "hz": Fraction(1),
    "1/s": Fraction(1),
    "1/S": Fraction(1),
    "kHz": Fraction(1000),
    "KHZ": Fraction(1000),
    "MHz": Fraction(1_000_000),
    "mhz": Fraction(1_000_000),
}
SIGNALS = {
    "V": Fraction(1),
    "mV": MILLI,
    "mv": MILLI,
    "uV": MICRO,
    "mcv": MICRO,
    "\u00b5V": MICRO,
    "\u03bcv": MICRO,
}


@pytest.mark.parametrize(
    ("dimension", "sizes"), [("time", TIMES), ("rate", RATES), ("signal", SIGNALS)]
)
def test_every_unit_has_its_size_whatever_its_case(dimension, sizes):
    assert {units: find_unit(dimension, units) for units in sizes} == sizes


@pytest.mark.parametrize("dimension", ["time", "rate", "signal"])
def test_units_of_another_dimension_have_no_size(dimension):
    others = {"time": RATES, "rate": SIGNALS, "signal": TIMES}[dimension]
    assert [find_unit(dimension, units) for units in others] == [None] * len(others)


@pytest.mark.parametrize("units", [*TIMES])
def test_units_of_time_are_accepted(units):
    check_unit("time", units, name="t_start")


@pytest.mark.parametrize("units", [*RATES])
def test_units_of_rate_are_accepted(units):
    check_unit("rate", units, name="sampling_rate")


@pytest.mark.parametrize("units", [*SIGNALS, "pA", "nA", "dimensionless", "mmHg", "Hz", "1/s"])
def test_signals_may_have_any_unit(units):
    check_unit("signal", units, name="signal")


def test_text_needs_no_unit():
    check_unit("any", None, name="labels")
    check_unit("any", "dt", name="labels")


@pytest.mark.parametrize("units", [None, "", " "])
@pytest.mark.parametrize("dimension", ["time", "rate", "signal"])
def test_a_unit_that_is_missing(dimension, units):
    with pytest.raises(ServiceError, match="t_start has no units") as caught:
        check_unit(dimension, units, name="t_start")
    assert (caught.value.status, caught.value.message_type) == (400, "units_missing")
    assert caught.value.details == "t_start"


@pytest.mark.parametrize(
    ("dimension", "units"),
    [
        ("time", "mV"),
        ("time", "hz"),
        ("time", "min"),
        ("time", " ms"),
        ("rate", "ms"),
        ("rate", "V"),
        ("signal", 5),
        ("signal", ["mV"]),
        ("signal", "m\nV"),
        ("signal", "x" * 65),
        ("any", 5),
    ],
)
def test_a_unit_that_is_wrong(dimension, units):
    with pytest.raises(ServiceError) as caught:
        check_unit(dimension, units, name="field")
    assert (caught.value.status, caught.value.message_type) == (400, "bad_parameter")
    assert caught.value.details == "field"


def test_factors_between_all_units_of_time_and_rate_are_exact():
    for dimension, sizes in (("time", TIMES), ("rate", RATES), ("signal", SIGNALS)):
        for source, have in sizes.items():
            for target, want in sizes.items():
                assert factor(dimension, source, target) == have / want


def test_units_without_a_size_convert_only_to_themselves():
    assert factor("signal", "mmHg", "mmHg") == 1
    with pytest.raises(ValueError, match="'mmHg' to 'V'"):
        factor("signal", "mmHg", "V")
    with pytest.raises(ValueError, match="'V' to 'ms'"):
        factor("signal", "V", "ms")


def test_decimals_are_converted_without_noise():
    assert convert("time", 0.07, "s", "ms") == 70.0  # 0.07 * 1000 is 70.00000000000001
    assert convert("time", 0.07, "s", "s") == 0.07
    assert convert("time", 1.1, "ms", "s") == 0.0011
    assert convert("time", 1e308, "s", "us") == 1.7976931348623157e308
    assert convert("time", -1e308, "s", "us") == -1.7976931348623157e308


def test_samples_per_unit_for_every_pair():
    for time, seconds in TIMES.items():
        for rate, hertz in RATES.items():
            assert samples_per_unit(20.0, rate, time) == float(20 * hertz * seconds)
    assert samples_per_unit(24414.0625, "hz", "ms") == 24.4140625
    with pytest.raises(ValueError, match="not a rate and a time"):
        samples_per_unit(20.0, "mV", "ms")
    with pytest.raises(ValueError, match="not a rate and a time"):
        samples_per_unit(20.0, "hz", "mV")
