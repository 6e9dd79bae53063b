"""Reading the text of a unit, from files and from users, without evaluating it.

A unit text is a product of symbols with integer or simple powers: ``"mV"``, ``"pA/V"``,
``"uV**2"``, ``"1/kHz"``, ``"m s^-1"``. Symbols are looked up in tables and, for rarer ones, among
the unit objects that the quantities package publishes under that very name.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

import quantities as pq
from quantities.dimensionality import Dimensionality
from quantities.unitquantity import UnitConstant, UnitQuantity

__all__ = ["DIMENSIONLESS_TEXTS", "parse_scaled", "parse_text", "registered_unit"]


def _pairs(text: str) -> dict[str, str]:
    """Read a table of ``key:value`` words."""
    return dict(word.split(":") for word in text.split())


# What vendors write where a quantity has no unit, or none that anybody calibrated.
_UNITLESS = (
    "|-|--|1|n/a|none|null|unknown|undefined|dimensionless|unitless|no unit|no units|nounit|unit|"
    "units|au|a.u.|a.u|arb|arb.|arb. unit|arb. units|arbitrary|arbitrary unit|arbitrary units|"
    "aru|adu|bool|boolean|logical"
)
DIMENSIONLESS_TEXTS = frozenset(_UNITLESS.split("|"))

# Powers of ten, by symbol and by name.
_EXPONENTS = {
    symbol: int(exponent)
    for symbol, exponent in _pairs(
        "y:-24 z:-21 a:-18 f:-15 p:-12 n:-9 u:-6 m:-3 c:-2 d:-1 da:1 h:2 k:3 M:6 G:9 T:12 P:15"
    ).items()
}
_PREFIX_NAMES = _pairs(
    "yocto:y zepto:z atto:a femto:f pico:p nano:n micro:u milli:m centi:c deci:d deca:da hecto:h "
    "kilo:k mega:M giga:G tera:T peta:P"
)
# Those that are written before a name too ("mVolts").
_ABBREVIATED = frozenset("fpnumkMG")
_NAME_OF_PREFIX = {symbol: name for name, symbol in _PREFIX_NAMES.items()}

# Symbols that take prefixes, with the name that quantities has for them.
_BASES = _pairs(
    "V:volt A:ampere S:siemens F:farad Hz:hertz s:second m:meter g:gram C:coulomb Ohm:ohm ohm:ohm "
    "N:newton T:tesla W:watt J:joule Pa:pascal K:kelvin H:henry L:liter l:liter M:molar mol:mole "
    "eV:electron_volt bar:bar rad:radian"
)

# Written names (in any case, with or without "s"), with their symbols.
_NAMES = _pairs(
    "volt:V ampere:A amp:A siemens:S farad:F hertz:Hz second:s sec:s meter:m metre:m gram:g "
    "gramme:g coulomb:C ohm:ohm newton:N tesla:T watt:W joule:J pascal:Pa kelvin:K henry:H "
    "liter:L litre:L molar:M mole:mol radian:rad mho:S"
)

# Symbols without prefixes, with the name that quantities has for them.
_SPECIAL = _pairs(
    "%:percent percent:percent pct:percent degC:degC degc:degC celsius:degC deg:deg degree:deg "
    "degK:kelvin degF:degF fahrenheit:degF min:min minute:min h:hour hr:hour hour:hour d:day "
    "day:day count:count cts:count ct:count mmHg:mmHg mmhg:mmHg cmH2O:cmH2O rpm:rpm kg:kg "
    "in:inch inch:inch angstrom:angstrom dimensionless:dimensionless"
)

# Spellings in which the case is wrong but the meaning is not in doubt ("pa" and "MV" are not here).
_MISSPELT = _pairs(
    "uv:uV UV:uV mv:mV nv:nV kv:kV v:V ua:uA na:nA ma:mA hz:Hz HZ:Hz khz:kHz KHz:kHz KHZ:kHz "
    "mhz:MHz MHZ:MHz Kohm:kohm KOhm:kohm mohm:Mohm S/s:Hz sps:Hz Sec:s SEC:s secs:s msec:ms "
    "usec:us nsec:ns Kg:kg"
)

# Micro sign, Greek mu, ohm sign, Greek omega, dots, crosses, powers, minus signs, blanks.
_SAME = str.maketrans(
    _pairs(
        "\u00b5:u \u03bc:u \u2126:Ohm \u03a9:Ohm \u00b7:* \u22c5:* \u00d7:* \u2219:* \u00b2:**2 "
        "\u00b3:**3 \u207b:- \u00b9:1 \u2212:- \u2103:degC"
    )
    | {"\u00a0": " ", "\0": " "}
)

_TOKEN = re.compile(
    r"\s*(?:(?P<power>\*\*|\^)\s*\(?\s*(?P<exponent>[+-]?\d+(?:\.\d+)?)\s*\)?"
    r"|(?P<operator>[*/.])|(?P<open>\()|(?P<close>\))|(?P<one>1(?:\.0*)?(?![\d.]))"
    r"|(?P<symbol>%|[A-Za-z_][A-Za-z_]*(?:\d[A-Za-z]+)*))\s*"
)
_LONGEST = 100

# What may be looked up in the registry of quantities, which evaluates it: names joined by
# operators, with short exponents that are not chained (a tower of powers would never end).
_GRAMMAR = re.compile(
    r"(?:[A-Za-z_]\w*|(?:\*\*|\^)\s*-?\d{1,2}(?!\s*(?:\d|\*\*|\^|\.))|1(?![\d.])|[*/()]|\s)+"
)
_NUMBER_TIMES = re.compile(r"\(?\s*([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*\*(?!\*)([^*]*)\)?\s*")


def parse_text(text: str) -> UnitQuantity | Dimensionality | None:
    """Read a unit text.

    Parameters
    ----------
    text : str
        As it stands in a file or was typed by a user.

    Returns
    -------
    UnitQuantity, Dimensionality or None
        The unit object of a single symbol, the dimensionality of a composed unit, None where the
        text is not understood.
    """
    if len(text) > _LONGEST:
        return None
    text = " ".join(text.translate(_SAME).split())
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    if text.casefold() in DIMENSIONLESS_TEXTS:
        return pq.dimensionless
    text = text.replace("° C", "degC").replace("°C", "degC").replace("°", "deg")
    text = text.replace("deg C", "degC").replace("degrees C", "degC")
    whole = _symbol(text)
    return whole if whole is not None else _product(text)


def _published(name: str) -> UnitQuantity | None:
    """Return the unit that quantities publishes under a name (physical constants are none)."""
    unit = vars(pq).get(name)
    is_unit = isinstance(unit, UnitQuantity) and not isinstance(unit, UnitConstant)
    return unit if is_unit else None


def _symbol(text: str) -> UnitQuantity | None:
    """Return the unit of one symbol or name, None if it is not known."""
    text = _MISSPELT.get(text, text)
    if text in _SPECIAL:
        return _published(_SPECIAL[text])
    unit = _prefixed(text)
    if unit is None:
        unit = _named(text)
    return _published(text) if unit is None else unit


def _prefixed(text: str) -> UnitQuantity | None:
    """Return the unit of a symbol with or without SI prefix ("mV", "V")."""
    if text in _BASES:
        return _published(_BASES[text])
    for size in (1, 2):
        prefix, symbol = text[:size], text[size:]
        if prefix in _EXPONENTS and symbol in _BASES:
            return _with_prefix(prefix, symbol)
    return None


def _named(text: str) -> UnitQuantity | None:
    """Return the unit of a written name ("Volts", "microvolt", "microV", "mVolts")."""
    for stem in (text, text.removesuffix("s"), text.removesuffix("es")):
        lower = stem.casefold()
        if lower in _NAMES:
            return _published(_BASES[_NAMES[lower]])
        if lower in _SPECIAL:
            return _published(_SPECIAL[lower])
        for name, prefix in _PREFIX_NAMES.items():
            if lower.startswith(name):
                rest = stem[len(name) :]
                symbol = _NAMES.get(rest.casefold(), rest)
                if symbol in _BASES:
                    return _with_prefix(prefix, symbol)
        prefix, rest = stem[:1], stem[1:].casefold()
        # In capitals only, "MVOLTS" may be milli or mega.
        if prefix in _ABBREVIATED and rest in _NAMES and not stem.isupper():
            return _with_prefix(prefix, _NAMES[rest])
    return None


@lru_cache(maxsize=512)
def _with_prefix(prefix: str, symbol: str) -> UnitQuantity:
    """Return a prefixed unit: the one quantities has, else one that is made now."""
    base: Any = _published(_BASES[symbol])
    found = _published(prefix + symbol)
    # "cd" is a candela, "Pa" no petaampere: a published symbol counts if it is of the same kind.
    if found is not None and found._reference.dimensionality == base._reference.dimensionality:
        return found
    if symbol in _SAME_UNIT:
        return _with_prefix(prefix, _SAME_UNIT[symbol])
    name = _NAME_OF_PREFIX[prefix] + _BASES[symbol]
    return pq.UnitQuantity(name, base * 10.0 ** _EXPONENTS[prefix], symbol=prefix + symbol)


_SAME_UNIT = {"ohm": "Ohm", "l": "L"}


def _product(text: str) -> Dimensionality | None:
    """Return the dimensionality of a product of symbols, None if it is not one."""
    dimensionality, position = _expression(text, 0, depth=0)
    return dimensionality if position == len(text) else None


def _expression(text: str, position: int, *, depth: int) -> tuple[Dimensionality | None, int]:
    """Read factors until the text or the parenthesis ends; (None, _) where it is not understood."""
    total, sign = Dimensionality(), 1
    expects_factor = True
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or token["power"]:
            return None, position
        if token["close"]:
            return (None if expects_factor or not depth else total), position
        if token["operator"]:
            if expects_factor:
                return None, position
            sign, expects_factor, position = (
                (-1 if token["operator"] == "/" else 1),
                True,
                token.end(),
            )
            continue
        factor, position = _factor(text, token, depth=depth)
        if factor is None:
            return None, position
        total = total * factor**sign
        sign, expects_factor = 1, False
    return (None if expects_factor or depth else total), position


def _factor(text: str, token: re.Match[str], *, depth: int) -> tuple[Dimensionality | None, int]:
    """Read a symbol, a 1 or a parenthesis, with the power that follows it."""
    position = token.end()
    factor: Dimensionality | None
    if token["one"]:
        factor = Dimensionality()
    elif token["open"]:
        factor, position = _expression(text, position, depth=depth + 1)
        closing = _TOKEN.match(text, position)
        if factor is None or closing is None or not closing["close"]:
            return None, position
        position = closing.end()
    else:
        unit = _symbol(token["symbol"])
        factor = None if unit is None else unit.dimensionality
    power = _TOKEN.match(text, position)
    if factor is not None and power is not None and power["power"]:
        exponent = float(power["exponent"])
        factor = factor ** (int(exponent) if exponent.is_integer() else exponent)
        position = power.end()
    return factor, position


def parse_scaled(text: str) -> tuple[float, UnitQuantity | Dimensionality] | None:
    """Read a number times a unit, such as ``"0.25*uV"`` of raw samples; None if it is not one."""
    match = _NUMBER_TIMES.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    number, unit = float(match[1]), parse_text(match[2].strip().removesuffix(")"))
    if unit is None or not math.isfinite(number) or number == 0:
        return None
    return number, unit


def registered_unit(text: str) -> Any:
    """Look up a text that a user typed in the registry of quantities; None if it is no unit.

    For texts that `parse_text` does not know: units that the user has defined. Never for text
    from files.
    """
    if len(text) > _LONGEST or not _GRAMMAR.fullmatch(text):
        return None
    try:
        found = pq.unit_registry[text]
    except (LookupError, SyntaxError, TypeError, ValueError, ArithmeticError):
        return None
    is_unit = isinstance(found, pq.Quantity) and found.size == 1 and found.magnitude == 1
    return found if is_unit else None
