"""Requests of other sites' pages, names of the service, and proxies."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ephyrus.service.accounts.cross_site import check_host, check_site, host_name, is_foreign
from ephyrus.service.accounts.proxies import Forwarded, client_network
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

HERE = {"host": "lab.example.org"}


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),  # a program
        ({"origin": "https://lab.example.org"}, False),
        ({"origin": "http://lab.example.org"}, False),  # http in front of a proxy
        ({"origin": "https://LAB.example.org"}, False),
        ({"origin": "https://lab.example.org:443"}, False),
        ({"origin": "https://lab.example.org:8443"}, True),
        ({"origin": "https://evil.example.net"}, True),
        ({"origin": "https://lab.example.org.evil.net"}, True),
        ({"origin": "https://sub.lab.example.org"}, True),
        ({"origin": "null"}, True),
        ({"origin": "file://"}, True),
        ({"origin": "moz-extension://abc"}, True),
        ({"origin": "https://["}, True),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "Cross-Site"}, True),
        ({"sec-fetch-site": "new-word"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example.net"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "https://lab.example.org"}, True),
    ],
)
def test_where_a_request_was_begun(headers, foreign):
    assert is_foreign({**HERE, **headers}) is foreign
    for method in ("POST", "PUT", "PATCH", "DELETE", "ANYTHING"):
        if foreign:
            with pytest.raises(ServiceError) as caught:
                check_site(method, {**HERE, **headers}, by_cookie=True)
            assert (caught.value.status, caught.value.message_type) == (403, "not_authorized")
            assert caught.value.details["host"] == "lab.example.org"
        else:
            check_site(method, {**HERE, **headers}, by_cookie=True)
        check_site(method, {**HERE, **headers}, by_cookie=False)
    for method in ("GET", "HEAD", "OPTIONS"):
        check_site(method, {**HERE, **headers}, by_cookie=True)


def test_origins_that_are_allowed():
    headers = {**HERE, "origin": "https://viewer.example.org", "sec-fetch-site": "same-site"}
    assert is_foreign(headers)
    assert not is_foreign(headers, allowed_origins=("https://viewer.example.org",))
    assert is_foreign(headers, allowed_origins=("https://viewer.example.org:444",))


def test_without_a_host_every_origin_is_foreign():
    assert is_foreign({"origin": "https://lab.example.org"})


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("lab.example.org", "lab.example.org"),
        ("LAB.example.org:8420", "lab.example.org"),
        ("127.0.0.1:8420", "127.0.0.1"),
        ("[::1]:8420", "::1"),
        ("localhost.", "localhost"),
        ("", ""),
        ("[", ""),
        ("a:b:c", ""),
    ],
)
def test_the_name_in_a_host_header(host, name):
    assert host_name({"host": host}) == name


def hosts(*allowed, host="127.0.0.1"):
    return Settings(host=host, allowed_hosts=allowed)


@pytest.mark.parametrize(
    ("settings", "good", "bad"),
    [
        (
            hosts(),
            ["localhost:8420", "127.0.0.1", "[::1]:80"],
            ["evil.example.net", "", "127.0.0.2"],
        ),
        (hosts(host="0.0.0.0"), ["anything", ""], []),  # noqa: S104 (that is the case)
        (hosts("lab.example.org"), ["lab.example.org:80"], ["localhost", "x.lab.example.org"]),
        (
            hosts("*.example.org"),
            ["a.example.org", "a.b.example.org"],
            ["example.org", "aexample.org"],
        ),
        (hosts("*"), ["anything", ""], []),
        (hosts("[::1]"), ["[::1]:8420"], ["localhost"]),
    ],
)
def test_names_that_the_service_is_called_by(settings, good, bad):
    for host in good:
        check_host({"host": host}, settings)
    for host in bad:
        with pytest.raises(ServiceError) as caught:
            check_host({"host": host}, settings)
        assert (caught.value.status, caught.value.details) == (403, {"host": host})


@pytest.mark.parametrize(
    ("client", "network"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5), "fe80::/64"),
        (("", 0), "unknown"),
        (("name", 0), "unknown"),
        (None, "unknown"),
    ],
)
def test_networks_that_attempts_are_counted_for(client, network):
    assert client_network({"client": client}) == network


def forwarded(settings, *, client, headers, kind="http"):
    """Give the scope that the application behind the proxy sees."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    scope = {"type": kind, "client": client, "scheme": "http", "headers": headers}
    asyncio.run(Forwarded(app, settings)(scope, None, None))
    return seen[0]


HEADERS = [
    (b"host", b"backend:8420"),
    (b"x-forwarded-for", b"6.6.6.6, 198.51.100.4"),
    (b"x-forwarded-for", b"10.0.0.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"lab.example.org"),
]


def test_nobody_is_believed_by_default():
    scope = forwarded(Settings(), client=("127.0.0.1", 1), headers=HEADERS)
    assert (scope["client"], scope["scheme"], scope["headers"]) == (
        ("127.0.0.1", 1),
        "http",
        HEADERS,
    )


def test_a_stranger_is_not_believed():
    settings = Settings(trusted_proxies=("10.0.0.0/8",))
    scope = forwarded(settings, client=("192.0.2.1", 1), headers=HEADERS)
    assert (scope["client"], scope["scheme"]) == (("192.0.2.1", 1), "http")
    assert forwarded(settings, client=None, headers=HEADERS)["client"] is None


def test_a_trusted_proxy_is_believed_up_to_the_first_stranger():
    settings = Settings(trusted_proxies=("10.0.0.0/8", "unix"))
    for client in (("10.0.0.1", 1), ("::ffff:10.0.0.1", 1), None):
        scope = forwarded(settings, client=client, headers=HEADERS)
        assert scope["client"] == ("198.51.100.4", 0)  # 6.6.6.6 is what the client claims
        assert scope["scheme"] == "https"
        assert scope["headers"][0] == (b"host", b"lab.example.org")
        assert scope["headers"][1:] == HEADERS[1:]


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (b"198.51.100.4:5678", "198.51.100.4"),
        (b"[2001:db8::1]:5678", "2001:db8::1"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"unknown", "unknown"),
        (b"198.51.100.4, 10.0.0.7:99", "198.51.100.4"),
        (b" , ", "10.0.0.1"),
    ],
)
def test_addresses_as_proxies_write_them(sent, client):
    settings = Settings(trusted_proxies=("10.0.0.0/8",))
    headers = [(b"x-forwarded-for", sent)]
    assert forwarded(settings, client=("10.0.0.1", 1), headers=headers)["client"][0] == client


@hypothesis_settings(deadline=None, max_examples=100)
@given(sent=st.binary(max_size=40))
def test_whatever_a_proxy_sends_is_some_client(sent):
    settings = Settings(trusted_proxies=("10.0.0.0/8",))
    headers = [(b"x-forwarded-for", sent), (b"x-forwarded-proto", sent)]
    scope = forwarded(settings, client=("10.0.0.1", 1), headers=headers)
    assert isinstance(client_network(scope), str)
    assert scope["scheme"] in {"http", "https"}


def test_a_proxy_that_says_nothing_changes_nothing():
    settings = Settings(trusted_proxies=("10.0.0.1",))
    headers = [(b"host", b"backend"), (b"x-forwarded-proto", b"gopher")]
    scope = forwarded(settings, client=("10.0.0.1", 1), headers=headers)
    assert (scope["client"], scope["scheme"], scope["headers"]) == (
        ("10.0.0.1", 1),
        "http",
        headers,
    )


def test_websockets_and_life_cycles():
    settings = Settings(trusted_proxies=("10.0.0.1",))
    scope = forwarded(settings, client=("10.0.0.1", 1), headers=HEADERS, kind="websocket")
    assert scope["scheme"] == "wss"
    scope = forwarded(settings, client=("10.0.0.1", 1), headers=HEADERS, kind="lifespan")
    assert scope["scheme"] == "http"


def test_what_is_no_network_is_refused():
    with pytest.raises(ValueError, match="trusted_proxies: 'proxy' is neither"):
        Forwarded(None, Settings(trusted_proxies=("proxy",)))
