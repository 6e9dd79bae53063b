"""Result codes of the C interface as errors."""

from __future__ import annotations

from ephyrus.dll.constants import Result
from ephyrus.errors import NeuroshareError

__all__ = ["failure"]

_MEANINGS = {
    Result.LIBERROR: "the library failed",
    Result.TYPEERROR: "this is no file of a type that the library reads",
    Result.FILEERROR: "the file cannot be opened or read",
    Result.BADFILE: "no such file is open",
    Result.BADENTITY: "there is no such entity, or it is of another type",
    Result.BADSOURCE: "there is no such source",
    Result.BADINDEX: "there is no such item, or the range goes past the last one",
}


def failure(code: int, message: str = "") -> NeuroshareError:
    """Make the error for a result code.

    Parameters
    ----------
    code : int
        A `Result` other than OK, or a number that is none of them.
    message : str
        What the library says; by default what the code means.
    """
    try:
        result = Result(code)
    except ValueError:
        return NeuroshareError(code, "unknown", message or "the library gives an unknown code")
    return NeuroshareError(int(code), f"ns_{result.name}", message or _MEANINGS[result])
