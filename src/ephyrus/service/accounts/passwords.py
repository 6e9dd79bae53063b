"""Passwords: argon2id, with bounded memory and with equal work for known and unknown users."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

__all__ = ["MAX_PASSWORD", "Passwords"]

MAX_PASSWORD = 1024
"""Most characters of a password."""

_HASH_BYTES = 32
_SALT_BYTES = 16


class Passwords:
    """Hashes and verifies passwords; one per process.

    Parameters
    ----------
    settings : Settings
        Cost of argon2 and how many runs there may be at a time.

    Notes
    -----
    A run takes `password_memory_kib` of memory and runs in the caller's thread. At most
    `password_concurrency` run at a time and at most `password_waiting` wait; more are refused, so
    that a flood of logins takes neither the memory nor all threads of a worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._min_length = settings.password_min_length
        self._hasher = argon2.PasswordHasher(
            time_cost=settings.password_time_cost,
            memory_cost=settings.password_memory_kib,
            parallelism=settings.password_parallelism,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
            type=argon2.Type.ID,
        )
        self._nobodys = _hash_of_nobody(settings)
        self._runs = threading.BoundedSemaphore(settings.password_concurrency)
        self._places = threading.BoundedSemaphore(
            settings.password_concurrency + settings.password_waiting
        )

    def hash(self, password: str, *, name: str = "") -> str:
        """Hash a new password.

        Parameters
        ----------
        password : str
            The password; compared after Unicode normalisation (NFC).
        name : str
            The user's name, which is no password.

        Raises
        ------
        ServiceError
            ``bad_parameter``: too short, too long, or the user's name. ``unavailable``: too many
            runs are under way.
        """
        normal = _normal(password)
        if len(normal) < self._min_length:
            raise _refusal(f"needs at least {self._min_length} characters")
        if len(normal) > MAX_PASSWORD:
            raise _refusal(f"has at most {MAX_PASSWORD} characters")
        if name and normal.casefold() == name.casefold():
            raise _refusal("must not be the user's name")
        with self._run():
            return self._hasher.hash(_bytes(normal))

    def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether a password is the one that was hashed.

        The same work is done where there is nothing to compare with.

        Parameters
        ----------
        stored : str or None
            The hash; None: there is no such user, or the user has no password.
        password : str
            What was sent.

        Raises
        ------
        ServiceError
            ``unavailable``: too many runs are under way.
        """
        # a longer one cannot be right; it is cut so that it costs no more than others
        text = _normal(password)[: MAX_PASSWORD + 1]
        with self._run():
            try:
                self._hasher.verify(self._nobodys if stored is None else stored, _bytes(text))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def rehashed(self, stored: str, password: str) -> str | None:
        """Hash a verified password anew if the cost was changed since; else None."""
        if not self._hasher.check_needs_rehash(stored):
            return None
        with self._run():
            return self._hasher.hash(_bytes(_normal(password)))

    @contextmanager
    def _run(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise ServiceError(
                "unavailable",
                "Too many logins are under way; try again in a few seconds.",
                headers={"Retry-After": "5"},
            )
        try:
            with self._runs:
                yield
        finally:
            self._places.release()


def _normal(password: str) -> str:
    # the same characters typed on another machine may come composed differently; no more is looked
    # at than can become a password, so that megabytes cost nothing
    return unicodedata.normalize("NFC", password[: 16 * MAX_PASSWORD])


def _bytes(text: str) -> bytes:
    # a terminal may hand over bytes that are no UTF-8; they may be part of a password
    return text.encode("utf-8", "surrogatepass")


def _hash_of_nobody(settings: Settings) -> str:
    """Make a hash that no password has, with the cost of all others."""
    salt, value = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (_SALT_BYTES, _HASH_BYTES)
    )
    cost = (
        f"m={settings.password_memory_kib},t={settings.password_time_cost}"
        f",p={settings.password_parallelism}"
    )
    return f"$argon2id$v=19${cost}${salt}${value}"


def _refusal(rule: str) -> ServiceError:
    return ServiceError("bad_parameter", f"The password {rule}.", details={"password": rule})
