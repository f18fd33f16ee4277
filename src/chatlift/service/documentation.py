"""The pages of documentation, served whole by this process: no third party sees who reads them."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse

from chatlift.service.problems import ProblemRoute

ASSETS = "/docs/assets"
TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
"""The files that the pages load; the package `fastapi-offline` brings them."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src blob:; frame-ancestors 'none'"
)
"""What the pages may do: load from here only. Their own start is written into them."""
TITLE = "Chatlift"

router = APIRouter(route_class=ProblemRoute, include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show every route, and let a reader authorize and send requests."""
    here = _root(request)
    page = get_swagger_ui_html(
        openapi_url=f"{here}/openapi.json",
        title=TITLE,
        swagger_js_url=f"{here}{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{here}{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{here}{ASSETS}/favicon.png",
    )
    page.headers["Content-Security-Policy"] = POLICY
    return page


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """Show every route, to be read."""
    here = _root(request)
    page = get_redoc_html(
        openapi_url=f"{here}/openapi.json",
        title=TITLE,
        redoc_js_url=f"{here}{ASSETS}/redoc.standalone.js",
        redoc_favicon_url=f"{here}{ASSETS}/favicon.png",
        with_google_fonts=False,
    )
    page.headers["Content-Security-Policy"] = POLICY
    return page


@router.get(ASSETS + "/{name}")
def asset(name: str) -> Response:
    """Return a file that the pages load."""
    if name not in TYPES:
        raise HTTPException(404)
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(content, media_type=TYPES[name], headers=headers)


def _root(request: Request) -> str:
    """Return the path under which a proxy serves us, empty as a rule."""
    return str(request.scope.get("root_path", "")).rstrip("/")
