"""Units: reading their text, looking them up, converting."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq
from hypothesis import given
from hypothesis import strategies as st

from ephyrus.core import units
from ephyrus.core.units import (
    HERTZ,
    SECOND,
    as_unit,
    conversion_factor,
    convert,
    dimension_of,
    inverse_unit,
    is_frequency,
    is_time,
    parse_unit,
    quantity,
    scalar_in,
    scaled_unit,
    seconds,
    unit_from_text,
    unit_of,
    values_in,
)

# text -> the same unit as quantities writes it, and its size in SI base units
TEXTS = [
    ("V", "V", 1.0),
    ("mV", "mV", 1e-3),
    ("\u00b5V", "uV", 1e-6),
    ("\u03bcV", "uV", 1e-6),
    ("uV", "uV", 1e-6),
    ("microV", "uV", 1e-6),
    ("microvolt", "uV", 1e-6),
    ("MicroVolts", "uV", 1e-6),
    ("Volts", "V", 1.0),
    ("volt", "V", 1.0),
    ("mVolts", "mV", 1e-3),
    ("\u00b5Volt", "uV", 1e-6),
    ("pAmps", "pA", 1e-12),
    ("[mV]", "mV", 1e-3),
    ("nV", "nV", 1e-9),
    ("MV", "MV", 1e6),
    ("UV", "uV", 1e-6),
    ("pA", "pA", 1e-12),
    ("nA", "nA", 1e-9),
    ("na", "nA", 1e-9),
    ("amps", "A", 1.0),
    ("nS", "nS", 1e-9),
    ("S", "S", 1.0),
    ("pF", "pF", 1e-12),
    ("F", "F", 1.0),
    ("C", "C", 1.0),
    ("MOhm", "megaohm", 1e6),
    ("Mohm", "megaohm", 1e6),
    ("M\u03a9", "megaohm", 1e6),
    ("k\u2126", "kiloohm", 1e3),
    ("GOhm", "GOhm", 1e9),
    ("Hz", "Hz", 1.0),
    ("kHz", "kHz", 1e3),
    ("KHz", "kHz", 1e3),
    ("hertz", "Hz", 1.0),
    ("ms", "ms", 1e-3),
    ("msec", "ms", 1e-3),
    ("seconds", "s", 1.0),
    ("min", "min", 60.0),
    ("fT", "fT", 1e-15),
    ("mW", "mW", 1e-3),
    ("kPa", "kPa", 1e3),
    ("Pa", "Pa", 1.0),
    ("mN", "mN", 1e-3),
    ("g", "g", 1e-3),
    ("kg", "kg", 1.0),
    ("%", "%", 0.01),
    ("percent", "%", 0.01),
    ("counts", "ct", 1.0),
    ("degC", "degC", 1.0),
    ("\u00b0C", "degC", 1.0),
    ("deg C", "degC", 1.0),
    ("deg", "deg", np.pi / 180),
    ("Degrees", "deg", np.pi / 180),
    ("pA/V", "pA/V", 1e-12),
    ("uV**2", "uV**2", 1e-12),
    ("uV^2", "uV**2", 1e-12),
    ("\u00b5V\u00b2/Hz", "uV**2/Hz", 1e-12),
    ("m/s", "m/s", 1.0),
    ("m s^-1", "m/s", 1.0),
    ("m\u00b7s^-1", "m/s", 1.0),
    ("V/um", "V/um", 1e6),
    ("1/kHz", "1/kHz", 1e-3),
    ("1/(m*s)", "1/(m*s)", 1.0),
    ("(mV)", "mV", 1e-3),
    ("mmol/L", "mmol/L", 1.0),
    ("mmHg", "mmHg", 133.322387415),
]


@pytest.mark.parametrize(("text", "symbol", "size"), TEXTS)
def test_text_is_read(text, symbol, size):
    unit, known = unit_from_text(text)
    assert known
    info = as_unit(unit)
    assert info.symbol == symbol
    assert info.factor == pytest.approx(size, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", " ", "au", "a.u.", "AU", "n/a", "N/A", "ARU", "none", "1", "Unknown", "-"]
)
def test_texts_without_unit_are_dimensionless_and_known(text):
    assert unit_from_text(text) == (pq.dimensionless, True)


@pytest.mark.parametrize(
    "text",
    [
        *("foo", "mV/", "/mV", "mV(", "(mV", "mV)", "100uV", "2*mV", "mV**", "**2", "V**V", "V V/"),
        *("__import__('os')", "().__class__", "V" * 200, "mV;s", "lambda: 1", "[", "9**9**9"),
        *("electron_mass", "Quantity", "x.y", "MVOLTS"),
    ],
)
def test_unknown_text_is_dimensionless_and_not_known(text):
    assert unit_from_text(text) == (pq.dimensionless, False)
    with pytest.raises(ValueError, match="is not known"):
        parse_unit(text)


def test_surprise_36_units_of_readers():
    assert parse_unit("\u00b5V") is pq.uV
    assert parse_unit("\u03bcV") is pq.uV
    assert parse_unit("microV") is pq.uV
    assert parse_unit("Volts") is pq.V
    assert parse_unit("au") is pq.dimensionless
    assert unit_from_text("furlongs per fortnight") == (pq.dimensionless, False)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    unit, known = unit_from_text(text)
    assert known or unit is pq.dimensionless
    if known:
        assert as_unit(unit).factor > 0


def test_one_object_per_unit():
    info = as_unit("mV")
    assert as_unit(pq.mV) is info
    assert as_unit(3 * pq.mV / 3) is info
    assert as_unit(pq.mV.dimensionality) is info
    assert as_unit(info) is info
    assert as_unit("millivolt") is info
    unit, dimensionality = info
    assert unit is pq.mV
    assert dimensionality == pq.mV.dimensionality
    assert as_unit("pA/V") is as_unit(pq.pA / pq.V)
    assert str(info) == "mV"
    assert repr(info) == "UnitInfo('mV')"


@pytest.mark.parametrize(
    "text", ["mV", "pA/V", "fT", "%", "1/kHz", "uV**2", "", "degC", "kg*m/s**2"]
)
def test_pickles_and_copies_are_the_same_object(text):
    info = as_unit(text)
    assert pickle.loads(pickle.dumps(info)) is info
    assert copy.deepcopy(info) is info
    assert copy.copy(info) is info


@pytest.mark.parametrize("gain", [0.0152587890625, -0.5, 1e-7, 3.0])
def test_units_of_raw_samples(gain):
    info = scaled_unit(gain, as_unit("uV"))
    assert info.factor == pytest.approx(gain * 1e-6)
    assert info.symbol == f"({gain!r}*uV)"
    assert as_unit(f"{gain!r}*uV") is info
    assert as_unit(pq.CompoundUnit(f"{gain!r}*uV")) is info
    assert b"CompoundUnit" not in pickle.dumps(info)
    assert pickle.loads(pickle.dumps(info)) is info
    assert scaled_unit(1.0, as_unit("uV")) is as_unit("uV")
    assert as_unit("0.5*pA/V").factor == pytest.approx(0.5e-12)


def test_user_made_units_survive_pickling():
    own = pq.UnitQuantity("test_pickled_unit", 7 * pq.mV, symbol="tpu")
    info = as_unit(own)
    again = pickle.loads(pickle.dumps(info))
    assert conversion_factor(again, "mV") == pytest.approx(7.0)
    assert conversion_factor(again, info) == 1.0


def test_strings_of_users():
    assert as_unit("0.25*uV").factor == pytest.approx(0.25e-6)
    assert as_unit("furlong").base is as_unit("m").base
    assert as_unit("light_year/week").base is as_unit("m/s").base
    pq.UnitQuantity("test_registered_unit", 7 * pq.mV, symbol="tru")
    assert as_unit("tru**2/s").factor == pytest.approx(49e-6)


@pytest.mark.parametrize(
    "text",
    [
        *("foo", "__import__('os').system('true')", "mV if 1 else s", "2*3", "(1).real", "s;s"),
        *("1e999*uV", "0*uV", "tru_**9**9**9", "9**9**9", "mV**99**99**99", "s" * 300, "2*" * 99),
        *("UnitQuantity", "foo()", "foo*uV", "3*foo", "s**s", "lambda:s"),
    ],
)
def test_texts_that_are_no_units(text):
    with pytest.raises(ValueError, match="is not known"):
        as_unit(text)


def test_wrong_units():
    with pytest.raises(ValueError, match="magnitude 1"):
        as_unit(2 * pq.mV)
    with pytest.raises(ValueError, match="magnitude 1"):
        as_unit([1, 1] * pq.mV)
    with pytest.raises(TypeError, match="not int"):
        as_unit(3)


def test_factors_of_powers_of_ten_are_exact():
    assert conversion_factor("mV", "uV") == 1000.0
    assert conversion_factor("uV", "mV") == 0.001
    assert conversion_factor("s", "us") == 1e6
    assert conversion_factor("ms", "us") == 1000.0
    assert conversion_factor("min", "s") == 60.0
    assert conversion_factor("1/ms", "kHz") == 1.0
    with pytest.raises(ValueError, match='Unable to convert between units of "mV" and "s"'):
        conversion_factor("mV", "s")


def test_conversion_divides_where_that_is_exact():
    numbers = np.array([3.0, 7.0, 1.1])
    np.testing.assert_array_equal(convert(numbers, as_unit("uV"), as_unit("mV")), numbers / 1000.0)
    single = numbers.astype(np.float32)
    assert convert(single, as_unit("mV"), as_unit("uV")).dtype == np.float32
    assert convert(5, as_unit("V"), as_unit("V")) == 5


def test_dimensions():
    assert dimension_of("mV") is dimension_of(pq.V)
    assert dimension_of("s") is not dimension_of("Hz")
    assert is_time("ms")
    assert not is_time("mV")
    assert is_frequency("kHz")
    assert is_frequency(1 / pq.ms)
    assert not is_frequency("s")


def test_inverses_have_their_usual_names():
    assert inverse_unit("Hz") is SECOND
    assert inverse_unit("s") is HERTZ
    assert inverse_unit("kHz") is as_unit("ms")
    assert inverse_unit("us") is as_unit("MHz")
    assert inverse_unit(1 / pq.s) is SECOND
    assert inverse_unit("min").symbol == "1/min"


def test_scalars():
    assert scalar_in(250 * pq.ms, SECOND, "t") == 0.25
    assert scalar_in(3, SECOND, "t") == 3.0
    assert scalar_in(np.float32(1.5), SECOND, "t") == 1.5
    assert scalar_in(np.array([2.0]) * pq.s, SECOND, "t") == 2.0
    with pytest.raises(ValueError, match="t must be in units like s, not mV"):
        scalar_in(1 * pq.mV, SECOND, "t")
    with pytest.raises(ValueError, match="single value"):
        scalar_in([1, 2] * pq.s, SECOND, "t")
    for wrong in ("1", None, [1, 2], object()):
        with pytest.raises(TypeError, match="t must be a number"):
            scalar_in(wrong, SECOND, "t")


def test_arrays():
    np.testing.assert_array_equal(values_in([1, 2] * pq.ms, SECOND, "t"), [0.001, 0.002])
    np.testing.assert_array_equal(values_in([1, 2], SECOND, "t"), [1.0, 2.0])
    np.testing.assert_array_equal(values_in([1, 2] * pq.s, SECOND, "t"), [1.0, 2.0])
    with pytest.raises(ValueError, match="t must be in units like s, not mV"):
        values_in([1, 2] * pq.mV, SECOND, "t")


def test_seconds():
    assert seconds(250 * pq.ms) == 0.25
    assert isinstance(seconds(250 * pq.ms), float)
    assert seconds(2) == 2.0
    assert seconds(2, "ms") == 0.002
    np.testing.assert_array_equal(seconds([1, 2] * pq.min), [60.0, 120.0])
    with pytest.raises(ValueError, match="a time is needed"):
        seconds(1 * pq.mV)


def test_quantities_are_fresh():
    one, two = quantity(1.0, SECOND), quantity(1.0, SECOND)
    one += 1 * pq.s
    assert two == 1 * pq.s
    assert unit_of(one) is SECOND
    assert one.units == pq.s


def test_caches_are_bounded(monkeypatch):
    monkeypatch.setattr(units, "_MOST_CACHED", 2)
    cache = {}
    for number in range(5):
        units._keep(cache, number, number)
        assert len(cache) <= 2
    assert cache == {4: 4}
