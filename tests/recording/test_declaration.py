"""Options of formats: every kind, every mistake."""

import logging

import numpy as np
import pytest
import quantities as pq

from ephyrus.errors import CorruptError
from ephyrus.recording import FileSet, Format, Opening, Option

FILES = FileSet("made.x", memory={"made.x": b""})


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("int", 5, 5),
        ("int", "5", 5),
        ("int", 5.0, 5),
        ("int", np.int16(5), 5),
        ("float", "2.5", 2.5),
        ("float", np.float32(2.5), 2.5),
        ("text", 5, "5"),
        ("bool", True, True),
        ("bool", np.bool_(False), False),
        ("bool", "Yes", True),
        ("bool", "off", False),
        ("bool", 1, True),
        ("bool", "0", False),
        ("frequency", 1000, 1000.0),
        ("frequency", 2 * pq.kHz, 2000.0),
        ("frequency", "44.1", 44.1),
        ("time", 250 * pq.ms, 0.25),
        ("time", 3, 3.0),
        ("unit", "mV", "mV"),
        ("unit", pq.mV, "mV"),
        ("unit", [pq.mV, "pA"], ["mV", "pA"]),
        ("dtype", "<i2", np.dtype("<i2")),
        ("dtype", np.float32, np.dtype("<f4")),
        ("list", "1, -2,a b,", [1, -2, "a b"]),
        ("list", "--5,²,1.5", ["--5", "²", "1.5"]),
        ("list", (1, "x"), [1, "x"]),
        ("list", np.array([1, 2]), [1, 2]),
        ("any", {"x": 1}, {"x": 1}),
    ],
)
def test_values_are_converted(kind, given, expected):
    found = Option("name", 0, "An option.", kind).converted(given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "given", "error"),
    [
        ("int", 2.5, ValueError),
        ("int", np.float32(2.5), ValueError),
        ("int", "two", ValueError),
        ("int", float("inf"), ValueError),
        ("int", float("nan"), ValueError),
        ("int", [1], TypeError),
        ("float", "x", ValueError),
        ("bool", "maybe", ValueError),
        ("bool", 2, ValueError),
        ("frequency", 5 * pq.s, ValueError),
        ("frequency", float("nan"), ValueError),
        ("time", "soon", ValueError),
        ("time", float("inf"), ValueError),
        ("dtype", "no such", TypeError),
        ("dtype", "i4,,", ValueError),
        ("list", 5, TypeError),
        ("int", None, TypeError),
    ],
)
def test_mistakes_name_the_option(kind, given, error):
    with pytest.raises(error, match=rf"^option gain=.*: expected {kind}$"):
        Option("gain", 0, "An option.", kind).converted(given)


def test_none_is_accepted_where_it_is_the_default():
    assert Option("name", None, "An option.", "int").converted(None) is None


def test_choices():
    option = Option("mode", "a", "An option.", "text", choices=("a", "b"))
    assert option.converted("b") == "b"
    with pytest.raises(ValueError, match="option mode='c': expected one of 'a', 'b'"):
        option.converted("c")


FORMAT = Format(
    name="made",
    label="Made up",
    io_class="MadeIO",
    extensions=("x",),
    holds=(),
    options=(
        Option("rate", 1000.0, "Rate.", "frequency", aliases=("sampling_rate", "fs")),
        Option("channels", None, "Channels.", "list"),
    ),
    write_options=(Option("level", 3, "Level.", "int"),),
)


def test_options_are_completed():
    assert FORMAT.option_values({}) == {"rate": 1000.0, "channels": None}
    assert FORMAT.option_values({"fs": 5 * pq.kHz, "channels": "1,2"}) == {
        "rate": 5000.0,
        "channels": [1, 2],
    }
    assert FORMAT.option_values({"level": "4"}, writing=True) == {"level": 4}


def test_unknown_and_doubled_options():
    with pytest.raises(TypeError, match=r"Made up has no option 'gain'; .* are: rate, channels"):
        FORMAT.option_values({"gain": 1})
    with pytest.raises(TypeError, match="option 'rate' is given twice, once by an older name"):
        FORMAT.option_values({"fs": 1, "rate": 1})
    bare = Format(name="bare", label="Bare", io_class="BareIO", extensions=(), holds=())
    with pytest.raises(TypeError, match="its options are: none"):
        bare.option_values({"x": 1})


def test_opening_notes_problems_and_logs_them(caplog):
    opening = Opening(FILES)
    with caplog.at_level(logging.WARNING, "ephyrus"):
        opening.note("a rate of 0", offset=4, field="rate")
    assert [str(problem) for problem in opening.problems] == ["made.x: byte 4 (rate): a rate of 0"]
    assert caplog.messages == ["made.x: byte 4 (rate): a rate of 0"]


def test_damage_is_an_error_or_is_salvaged():
    error = CorruptError("made.x", "no such type", offset=9, field="packet")
    with pytest.raises(CorruptError, match="no such type"):
        Opening(FILES).damaged(error)
    opening = Opening(FILES, salvage=True)
    opening.damaged(error, lost=5)
    (problem,) = opening.problems
    assert (problem.path, problem.offset, problem.field, problem.lost) == ("made.x", 9, "packet", 5)
