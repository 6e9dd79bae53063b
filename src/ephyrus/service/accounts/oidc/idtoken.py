"""ID tokens: what a provider says of somebody who has logged in there, and whether it is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ephyrus._shared.extras import optional_module
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

__all__ = ["ASYMMETRIC", "MAX_SUBJECT", "Keys", "UnknownKeyError", "validated_claims"]

ASYMMETRIC = frozenset(
    {f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)}
    | {"EdDSA", "Ed25519"}
)
"""Signatures that are believed: those that the provider alone can make."""

MAX_SUBJECT = 255
"""Most characters of a subject."""

_LEEWAY = 60  # seconds by which the clocks may differ
_MAX_TOKEN = 64_000


class UnknownKeyError(ServiceError):
    """A token is signed with none of the keys that are known.

    Parameters
    ----------
    reason : str
        What does not fit.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "invalid_credentials",
            f"The login provider's answer is signed with an unknown key: {reason}.",
        )


@dataclass(frozen=True)
class Keys:
    """Keys of a provider.

    Attributes
    ----------
    key_set : KeySet
        Of joserfc; keys that are not for signatures, and secret ones, are left out.
    """

    key_set: Any

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Keys:
        """Take the keys out of a JWKS document.

        Raises
        ------
        ServiceError
            ``unavailable``: there are none that can be used.
        """
        jwk = optional_module("joserfc.jwk", "oidc", "login through a provider")
        errors = optional_module("joserfc.errors", "oidc", "login through a provider")
        listed = document.get("keys")
        usable = [
            key
            for key in (listed if isinstance(listed, list) else [])
            if isinstance(key, dict) and key.get("kty") != "oct" and key.get("use") in (None, "sig")
        ]
        try:
            return cls(jwk.KeySet.import_key_set({"keys": usable}))
        except (errors.JoseError, ValueError, KeyError, TypeError) as error:
            raise ServiceError(
                "unavailable", "The keys of the login provider cannot be read."
            ) from error


def validated_claims(
    text: str, keys: Keys, settings: Settings, *, nonce: str, now: int | None = None
) -> dict[str, Any]:
    """Check an ID token and give its claims.

    Parameters
    ----------
    text : str
        The token.
    keys : Keys
        Keys of the provider.
    settings : Settings
        Issuer, client id, and the algorithms that are believed.
    nonce : str
        What the login was begun with.
    now : int, optional
        Unix time; None: the clock's.

    Returns
    -------
    dict
        The claims; ``sub`` is text of 1 to 255 characters.

    Raises
    ------
    ServiceError
        ``invalid_credentials``: signature, algorithm, issuer, audience, times, nonce or subject
        are not right. ``unavailable``: the settings allow no algorithm.
    UnknownKeyError
        The token names a key that is not in `keys`, or names none and none of them fits.
    """
    jwt = optional_module("joserfc.jwt", "oidc", "login through a provider")
    errors = optional_module("joserfc.errors", "oidc", "login through a provider")
    allowed = [each for each in settings.oidc_algorithms if each in ASYMMETRIC]
    if not allowed:  # an empty list would mean all of the library's own
        raise ServiceError(
            "unavailable",
            "The setting oidc_algorithms names no asymmetric algorithm, such as RS256 or ES256.",
        )
    registry = jwt.JWTClaimsRegistry(
        now=now,
        leeway=_LEEWAY,
        iss={"essential": True, "value": settings.oidc_issuer},
        aud={"essential": True, "value": settings.oidc_client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    if len(text) > _MAX_TOKEN:
        raise _refusal("it is too long")
    unknown = errors.InvalidKeyIdError, errors.BadSignatureError, errors.InvalidKeyTypeError
    try:
        token = jwt.decode(text, keys.key_set, algorithms=allowed)
        registry.validate(token.claims)
    except unknown as error:
        raise UnknownKeyError(error.error) from error
    except (errors.JoseError, ValueError, RecursionError) as error:
        raise _refusal(str(error)) from error
    claims: dict[str, Any] = token.claims
    _check_party(claims, settings.oidc_client_id)
    if not isinstance(claims["nonce"], str):
        raise _refusal("its nonce is no text")
    if not 1 <= len(claims["sub"]) <= MAX_SUBJECT or "\0" in claims["sub"]:
        raise _refusal("its subject is empty or too long")
    return claims


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Refuse a token that was made for another client and names this one besides."""
    party, audience = claims.get("azp"), claims["aud"]
    is_shared = isinstance(audience, list) and len(audience) > 1
    if (party is not None or is_shared) and party != client_id:
        raise _refusal("it was made for another client")


def _refusal(reason: str) -> ServiceError:
    return ServiceError(
        "invalid_credentials", f"The login provider's answer is not accepted: {reason}."
    )
