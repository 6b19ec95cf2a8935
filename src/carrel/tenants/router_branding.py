"""The looks of organisations over HTTP: saying them, and showing them to everybody."""

from typing import Annotated, Any

from fastapi import Header, Response

from carrel.infra.web import Meant, Router, provided, requires
from carrel.tenants.branding import Brandings, OwnBranding
from carrel.tenants.schemas_branding import Branding, BrandingChange, BrandingSettings

router = Router(prefix="/api/organization/branding", tags=["organization"])
shown = Router(prefix="/api/branding", tags=["organization"])

Own = Annotated[OwnBranding, provided(OwnBranding)]
Shown = Annotated[Brandings, provided(Brandings)]
Known = Annotated[str, Header(alias="If-None-Match", max_length=1000)]
KEPT = "public, max-age=300"
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {} for kind in ("image/png", "image/jpeg", "image/webp")}},
    304: {"description": "The picture is the one that the caller has."},
}


@router.get("", operation_id="get_branding_settings", dependencies=[requires("read")])
async def get_branding_settings(branding: Own) -> BrandingSettings:
    """What your organization has said about its looks."""
    return await branding.view()


@router.patch("", operation_id="change_branding", dependencies=[requires("admin")])
async def change_branding(wanted: BrandingChange, branding: Own) -> BrandingSettings:
    """Change what pages show at your organization's own hosts: its name, colour and logo."""
    return await branding.change(wanted)


@shown.get("", operation_id="get_branding")
async def get_branding(meant: Meant, branding: Shown) -> Branding:
    """Name, colour and logo of the organization that the host belongs to; at any other host those of Carrel."""
    return await branding.shown(meant)


@shown.get("/logo", operation_id="get_logo", response_class=Response, responses=PICTURE)
async def get_logo(meant: Meant, branding: Shown, known: Known = "") -> Response:
    """The logo of the organization that the host belongs to."""
    logo = await branding.logo(meant, known.removeprefix("W/").strip('"'))
    headers = {"etag": f'"{logo.digest}"', "cache-control": KEPT}
    if not logo.content:
        return Response(status_code=304, headers=headers)
    return Response(logo.content, media_type=logo.type, headers=headers)
