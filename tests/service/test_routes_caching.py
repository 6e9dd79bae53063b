"""Tags and dates: what counts as the same."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest

from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.caching import (
    cache_headers,
    list_tag,
    quoted,
    require_match,
    revalidate,
)

GUID = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
MODIFIED = datetime(2026, 3, 4, 5, 6, 7, 891)


def _call(**headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(header=lambda name, default="": sent.get(name, default))


def test_tags():
    assert quoted(GUID) == f'"{GUID}"'
    # first 8 digits of sha1("q=full")
    assert quoted(GUID, "q=full") == f'"{GUID}-24707162"'
    assert list_tag([GUID], "x") != list_tag([OTHER], "x") != list_tag([OTHER], "y")


@pytest.mark.parametrize(
    "sent",
    [f'"{GUID}"', f'W/"{GUID}"', GUID, "*", f'"{OTHER}", "{GUID}"', f"{OTHER},{GUID}"],
)
def test_a_tag_that_was_sent_back_is_known(sent):
    answer = revalidate(_call(if_none_match=sent), f'"{GUID}"', MODIFIED)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers == {
        "ETag": f'"{GUID}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Cookie, Authorization, Accept",
        "Last-Modified": "Wed, 04 Mar 2026 05:06:07 GMT",
    }


@pytest.mark.parametrize(
    ("sent", "same"),
    [
        (f'"{GUID}-24707162"', True),
        (f"{GUID}-24707162", True),
        (GUID, True),  # bare: the name of the version, of what was kept for this address
        (f'"{GUID}"', False),
        (OTHER, False),
        ('""', False),
    ],
)
def test_tags_of_parts(sent, same):
    answer = revalidate(_call(if_none_match=sent), quoted(GUID, "q=full"))
    assert (answer is not None) is same


@pytest.mark.parametrize(
    ("since", "same"),
    [
        ("Wed, 04 Mar 2026 05:06:07 GMT", True),
        ("Wed, 04 Mar 2026 06:06:07 +0100", True),
        ("Wed, 04 Mar 2026 05:06:06 GMT", False),
        ("yesterday", False),
        ("", False),
    ],
)
def test_dates(since, same):
    answer = revalidate(_call(if_modified_since=since), f'"{GUID}"', MODIFIED)
    assert (answer is not None) is same


def test_a_tag_wins_over_a_date():
    call = _call(if_none_match=OTHER, if_modified_since="Wed, 04 Mar 2030 05:06:07 GMT")
    assert revalidate(call, f'"{GUID}"', MODIFIED) is None


@pytest.mark.parametrize(
    "sent", ["", GUID, f'"{GUID}"', f'W/"{GUID}"', "*", f'{OTHER}, "{GUID}"', f'"{GUID}-24707162"']
)
def test_the_current_version_may_be_changed(sent):
    require_match(_call(if_match=sent), GUID)


def test_another_version_may_not():
    with pytest.raises(ServiceError) as info:
        require_match(_call(if_match=f'"{OTHER}"'), GUID)
    assert (info.value.status, info.value.message_type) == (412, "precondition_failed")


def test_public_objects_may_be_kept_by_all():
    assert cache_headers('"x"', public=True)["Cache-Control"] == "public, no-cache"
