"""The description of the interface: complete, consistent, and true of the answers."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import hypothesis
import numpy as np
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from ephyrus.service.routes import route_table
from ephyrus.service.routes.openapi import describe
from ephyrus.service.routes.options import field_names
from ephyrus.service.routes.page import page, policy
from ephyrus.service.types import CATEGORIES, TYPES
from tests.service.support import Site

DOCUMENT = describe(route_table().routes)


def _operations(document=DOCUMENT):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _refs(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _refs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _refs(each)


def test_every_route_is_described():
    described = {(method.upper(), path) for path, method, _ in _operations()}
    shown = {
        (route.method, re.sub(r"\{(\w+):path\}", r"{\1}", route.path))
        for route in route_table().routes
        if not route.hidden
    }
    expanded = set()
    for method, path in shown:
        category = path.split("/")[1]
        kinds = {kind.name for kind in CATEGORIES[category].values()} if "{type}" in path else {""}
        expanded |= {(method, path.replace("{type}", kind)) for kind in kinds}
    assert described == expanded


def test_what_is_hidden_is_another_spelling():
    table = route_table().routes
    shown = {(route.handler, route.path) for route in table if not route.hidden}
    for route in table:
        if route.hidden:
            path = route.path.replace("/datafiles/datafile", "/datafiles")
            assert (route.handler, path) in shown, route.name


def test_names_are_unique_and_references_lead_somewhere():
    names = [operation["operationId"] for _, _, operation in _operations()]
    assert len(names) == len(set(names))
    for each in set(_refs(DOCUMENT)):
        place = DOCUMENT
        for part in each.removeprefix("#/").split("/"):
            place = place[part]


@pytest.mark.parametrize("kind", TYPES.values(), ids=list(TYPES))
def test_schemas_have_the_fields_of_their_types(kind):
    schemas = DOCUMENT["components"]["schemas"]
    extra = {"size", "mime", "file_type", "conversion_type", "extracted_info", "operations_log",
             "last_task_id", "title"}  # fmt: skip
    shown = set(schemas[kind.name]["properties"]["fields"]["properties"])
    assert shown | extra >= set(field_names(kind)) >= shown - extra
    assert set(schemas[f"{kind.name}_new"].get("required", ())) == set(kind.required)


def test_parameters_of_paths_are_described():
    for path, _, operation in _operations():
        named = {each["name"] for each in operation["parameters"] if each.get("in") == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_loads_nothing():
    parser = _Page()
    parser.feed(page(DOCUMENT))
    assert not parser.tags & {"script", "img", "link", "iframe", "object"}
    assert not {name for name in parser.attributes if name.startswith("on")} | (
        parser.attributes & {"src", "style"}
    )
    assert "default-src 'none'; style-src 'sha256-" in policy()
    for path, _, operation in _operations():
        assert path in parser.text
        assert any(operation["summary"] in text for text in parser.text)


# over HTTP ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("service")) as made:
        yield made


def test_document_and_page_are_served(site):
    answer = site.anonymous.get("/openapi.json")
    assert answer.json() == DOCUMENT
    again = site.anonymous.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    shown = site.anonymous.get("/docs/")
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert shown.headers["content-security-policy"] == policy()
    assert shown.text == page(DOCUMENT)


def test_what_the_service_can_do(site):
    document = site.anonymous.get("/api/").json()
    assert document["faces"] == ["documented"]
    assert document["categories"]["datafiles"] == ["datafile"]
    assert set(document["formats"]) == {"hdf5", "json", "npy", "raw", "arrow", "csv", "zarr"}
    assert document["limits"]["inline_points"] == 100_000


def test_health(site, monkeypatch):
    document = site.anonymous.get("/health").json()
    assert {name: check["ok"] for name, check in document["checks"].items()} == {
        "database": True,
        "jobs": True,
        "recordings": True,
        "store": True,
    }

    def broken():
        raise OSError("gone")

    monkeypatch.setattr(site.app.service.store, "check", broken)
    answer = site.anonymous.get("/health")
    assert (answer.status_code, answer.json()["message_type"]) == (503, "unavailable")
    assert answer.json()["details"] == {
        "store": {"ok": False, "message": "The store of arrays does not answer."}
    }


def test_numbers_are_for_administrators(site):
    assert site.anonymous.get("/metrics").status_code == 401
    assert site.user("someone").get("/metrics").status_code == 403
    text = site.user("admin", is_admin=True).get("/metrics").text
    assert 'ephyrus_request_seconds_count{method="GET",route="/metrics",status="401"} ' in text


def test_numbers_are_shown_to_the_same_machine(site, tmp_path):
    here = TestClient(site.app, client=("127.0.0.1", 5000))
    assert here.get("/metrics").status_code == 200
    # what comes through a proxy on this machine comes from anywhere
    assert here.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 401
    with Site(tmp_path, metrics_public=True) as open_site:
        assert open_site.anonymous.get("/metrics").status_code == 200


# schemathesis -------------------------------------------------------------------------------------

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
# the routes of objects are the same functions for all types: these stand for them
STANDING_FOR_ALL = ("block", "analogsignal", "spiketrain", "recordingchannel", "property")
TYPED = re.compile(r"^/(electrophysiology|metadata)/(\w+)")


def _is_tried(path: str) -> bool:
    found = TYPED.match(path)
    return found is None or found[2] in STANDING_FOR_ALL


TRIED = [
    (path, method)
    for path, method, _ in _operations()
    if _is_tried(path) and path not in ("/account/logout",)
]


@pytest.fixture(scope="module")
def asker(site):
    """A user with an object of each type that is tried, with the id 1."""
    ann = site.user("ann")
    ann.array(np.arange(10.0))
    times = ann.array(np.arange(5.0))
    ann.make("electrophysiology/block", name="b")
    ann.make("electrophysiology/segment", name="s", block=1)
    rate, start = {"data": 10, "units": "hz"}, {"data": 0, "units": "s"}
    ann.make("electrophysiology/analogsignal", sampling_rate=rate, t_start=start, segment=1,
             signal={"data": 1, "units": "mV"})  # fmt: skip
    ann.make("electrophysiology/spiketrain", t_start=start, t_stop={"data": 9, "units": "s"},
             times={"data": times, "units": "s"})  # fmt: skip
    ann.make("electrophysiology/recordingchannel", name="c")
    ann.make("metadata/section", name="m")
    ann.make("metadata/property", name="p", section=1)
    return ann


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.mark.parametrize(("path", "method"), TRIED, ids=[f"{m} {p}" for p, m in TRIED])
def test_answers_are_as_described(asker, path, method):
    @hypothesis.settings(
        max_examples=4,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=SCHEMA[path][method].as_strategy())
    def try_it(case):
        sent = case.as_transport_kwargs(base_url="http://testserver")
        headers = {**sent.get("headers", {}), **asker.headers}
        answer = asker.site.http.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers=headers,
            cookies=None,
            content=_content(sent),
            follow_redirects=False,
        )
        response = schemathesis.Response.from_httpx2(answer, verify=False)
        case.validate_response(response, checks=list(CHECKS))

    try_it()


def _content(sent):
    if sent.get("json") is not None:
        import json

        return json.dumps(sent["json"]).encode()
    data = sent.get("data")
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, dict):
        from urllib.parse import urlencode

        return urlencode(data, doseq=True).encode()
    return data
