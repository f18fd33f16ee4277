import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.services import Served, served


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_loads_nothing_from_anybody_else(at: Served, page: str) -> None:
    told = at.client.get(page)
    assert told.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', told.text)
    assert len(loaded) >= 2
    for address in loaded:
        assert address.startswith("/docs/assets/"), address
        assert at.client.get(address).status_code == 200
    assert "https://" not in "".join(loaded)
    assert "default-src 'self'" in told.headers["content-security-policy"]


def test_only_the_pages_own_files_are_told(at: Served) -> None:
    for name in ("core.py", "..%2Fcore.py", "%2e%2e"):
        assert at.client.get(f"/docs/assets/{name}").status_code == 404


def test_the_description_is_openapi_3_1_with_a_way_to_authorize(at: Served) -> None:
    told = at.client.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    assert told["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    assert {"Bearer": []} in told["paths"]["/api/v1/training/start"]["post"]["security"]
    assert told["paths"]["/api/v1/training/start"]["post"]["tags"] == ["ML Training"]


def test_a_refusal_is_described_as_it_is_sent(at: Served) -> None:
    described = at.client.get("/openapi.json").json()["paths"]["/api/v1/training/start"]["post"]
    assert {"401", "403", "409", "413", "422", "429", "503"} <= set(described["responses"])
    for status in ("401", "422"):
        content = described["responses"][status]["content"]
        assert list(content) == ["application/problem+json"]
        assert content["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert list(described["responses"]["202"]["content"]) == ["application/json"]


def test_every_body_has_an_example(at: Served) -> None:
    described = at.client.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    bodies = set(re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(described["paths"])))
    assert len(bodies) >= 30
    lacking = [
        name
        for name in sorted(bodies)
        if "properties" in schemas[name] and "example" not in schemas[name]
    ]
    assert lacking == []
