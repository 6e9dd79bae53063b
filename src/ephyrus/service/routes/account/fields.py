"""What is sent to the addresses of accounts: fields as data, checked and described alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ephyrus.service.accounts.names import as_id
from ephyrus.service.errors import ServiceError

__all__ = ["Field", "moment_text", "number", "read", "schema"]

Kind = Literal["text", "flag", "texts", "moment", "level", "levels"]

_SCHEMAS: Mapping[Kind, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "flag": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": ["string", "integer"]}},
    "moment": {"type": ["string", "null"], "description": "YYYY-MM-DD HH:MM:SS in UTC"},
    "level": {"enum": [1, 2, 3], "description": "1 public, 2 friends, 3 private"},
    "levels": {
        "type": ["object", "null"],
        "additionalProperties": {"enum": [1, 2, "reader", "collaborator"]},
        "description": "Names or ids, each with 1 (reads) or 2 (changes); in place of the former.",
    },
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body.

    Attributes
    ----------
    name : str
        Its name.
    kind : {"text", "flag", "texts", "moment", "level", "levels"}
        Text, true or false, a list of texts or ids, a time or null; a safety level and levels of
        shares, which are checked where those of objects are.
    required : bool
        It must be sent.
    """

    name: str
    kind: Kind = "text"
    required: bool = False


def schema(*fields: Field) -> dict[str, Any]:
    """Describe a body as JSON schema."""
    return {
        "type": "object",
        "properties": {field.name: dict(_SCHEMAS[field.kind]) for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }


def read(document: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """Check a body.

    Parameters
    ----------
    document : object
        What was sent; None: nothing.
    fields : sequence of Field
        What may be sent.

    Returns
    -------
    dict
        Values by name, of the fields that were sent.

    Raises
    ------
    ServiceError
        ``dict_required``, ``post_data_invalid`` (an unknown name), ``missing_parameter``,
        ``bad_parameter``.
    """
    sent = {} if document is None else document
    if not isinstance(sent, Mapping):
        raise ServiceError("dict_required", "The body must be a JSON object.")
    known = {field.name: field for field in fields}
    unknown = sorted(str(name) for name in sent if name not in known)
    if unknown:
        raise ServiceError(
            "post_data_invalid",
            f"{unknown[0][:60]!r} is not known here; there are {', '.join(known)}.",
            details={name[:200]: "unknown" for name in unknown[:20]},
        )
    missing = [field.name for field in fields if field.required and field.name not in sent]
    if missing:
        raise ServiceError(
            "missing_parameter",
            f"Send {' and '.join(missing)} besides.",
            details=dict.fromkeys(missing, "missing"),
            extra={"missing": missing},
        )
    return {name: _READERS[known[name].kind](name, value) for name, value in sent.items()}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "must be text")
    if "\0" in value:
        raise _wrong(name, "may not hold the character 0")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, "must be true or false")
    return value


def _texts(name: str, value: Any) -> list[str | int]:
    is_list = isinstance(value, list) and all(
        isinstance(each, (str, int)) and not isinstance(each, bool) for each in value
    )
    if not is_list:
        raise _wrong(name, "must be a list of names or ids")
    for each in value:
        if isinstance(each, str):
            _text(name, each)
    return list(value)


def _moment(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(_text(name, value).strip())
        if found.tzinfo is not None:
            found = found.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise _wrong(name, "must be a time such as 2030-01-31 12:00:00 (UTC)") from None
    return found


_READERS: Mapping[Kind, Callable[[str, Any], Any]] = {
    "text": _text,
    "flag": _flag,
    "texts": _texts,
    "moment": _moment,
    "level": lambda _, value: value,
    "levels": lambda _, value: value,
}


def _wrong(name: str, rule: str) -> ServiceError:
    return ServiceError("bad_parameter", f"'{name}' {rule}.", details={name: rule})


def number(text: str) -> int:
    """Read the id of a token, share link or selection: a plain number in every style of ids.

    Raises
    ------
    ServiceError
        ``does_not_exist``: nothing can have this id.
    """
    found = as_id(text)
    if found is None:
        raise ServiceError("does_not_exist", f"There is nothing with the id {text[:40]!r}.")
    return found


def moment_text(moment: datetime | None) -> str | None:
    """Write a time as clients know it."""
    return None if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")
