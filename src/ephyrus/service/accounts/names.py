"""Names of users and groups."""

from __future__ import annotations

import unicodedata

from ephyrus.service.errors import ServiceError

__all__ = ["MAX_NAME", "as_id", "checked_name", "normal_name"]

MAX_NAME = 64
"""Most characters of a name."""

_MARKS = frozenset("._-@+")
_MOST_ID = 2**63 - 1


def as_id(who: str | int) -> int | None:
    """Give the id that is meant, or None where a name is meant: no name is a number."""
    if isinstance(who, str):
        if not (who.isascii() and who.isdecimal()):
            return None
        who = int(who[:20])
    return max(-1, min(who, _MOST_ID))


def normal_name(name: str) -> str:
    """Bring a name into the one form that is stored and compared.

    Compatible characters become one (NFKC) and case is folded, so that names which look alike
    cannot belong to two users.

    Parameters
    ----------
    name : str
        As typed.

    Returns
    -------
    str
        The normal form; any text is accepted, since unknown names must be handled like known ones.
    """
    # neither database stores these, so that no name has them
    name = name.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def checked_name(name: str, *, what: str = "user name") -> str:
    """Give the normal form of a new name.

    Raises
    ------
    ServiceError
        ``bad_parameter``: the name is empty, too long, holds other characters than letters, digits
        and ``. _ - @ +``, does not begin with a letter or digit, or is a number (it would be taken
        for an id).
    """
    normal = normal_name(name)
    if not 1 <= len(normal) <= MAX_NAME:
        raise _refusal(what, f"needs 1 to {MAX_NAME} characters")
    wrong = sorted({each for each in normal if not (_is_letter(each) or each in _MARKS)})
    if wrong:
        shown = " ".join(repr(each) for each in wrong[:5])
        raise _refusal(what, f"may hold letters, digits and . _ - @ +, not {shown}")
    if not _is_letter(normal[0]):
        raise _refusal(what, "begins with a letter or a digit")
    if normal.isdecimal():
        raise _refusal(what, "needs a letter: a number would be taken for an id")
    return normal


def _is_letter(character: str) -> bool:
    # combining marks belong to the letters of many scripts and survive NFKC there
    return unicodedata.category(character)[0] in "LMN"


def _refusal(what: str, rule: str) -> ServiceError:
    return ServiceError("bad_parameter", f"The {what} {rule}.", details={"name": rule})
