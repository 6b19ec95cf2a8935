"""The looks of organisations: what they say about them, and what everybody is shown."""

import hashlib
from dataclasses import dataclass

from carrel.core.ids import TenantId
from carrel.infra.db import Database, Executor, Role
from carrel.tenants.errors import LogoNotFound
from carrel.tenants.images import picture_of, type_of
from carrel.tenants.repository_branding import BrandingRow
from carrel.tenants.schemas_branding import Branding, BrandingChange, BrandingSettings, Logo

LOGO_PATH = "/api/branding/logo"
OURS = Branding("Carrel", "#0b5cad", None)
"""What is shown where no organisation is meant."""
NOTHING_SAID = BrandingSettings(None, None, None, None)


@dataclass(frozen=True, slots=True)
class OwnBranding:
    """What the organisation of whoever asks has said about its looks."""

    db: Executor
    tenant: TenantId

    async def view(self) -> BrandingSettings:
        return await BrandingRow(self.db, self.tenant).settings() or NOTHING_SAID

    async def change(self, wanted: BrandingChange) -> BrandingSettings:
        """Change what was said and leave the rest. Raises `InvalidLogo`."""
        logo = None if wanted.logo is None else logo_of(wanted.logo)
        row, said = BrandingRow(self.db, self.tenant), wanted.model_fields_set
        await row.begin()
        if "display_name" in said:
            await row.rename(wanted.display_name)
        if "primary_color" in said:
            await row.color(wanted.primary_color and wanted.primary_color.lower())
        if "logo" in said:
            await row.draw(logo)
        return await self.view()


@dataclass(frozen=True, slots=True)
class Brandings:
    """What everybody is shown at the host of an organisation, or at the server's own."""

    database: Database

    async def shown(self, tenant: TenantId | None) -> Branding:
        if tenant is None:
            return OURS
        async with self.database.transaction(Role.GATE) as db:
            found = await BrandingRow(db, tenant).look()
        if found is None:
            return OURS
        logo = None if found.logo_digest is None else LOGO_PATH
        return Branding(found.display_name or found.name, found.primary_color or OURS.primary_color, logo)

    async def logo(self, tenant: TenantId | None, known: str) -> Logo:
        """The picture, without its content if its digest is `known`. Raises `LogoNotFound`."""
        found = None
        if tenant is not None:
            async with self.database.transaction(Role.GATE) as db:
                found = await BrandingRow(db, tenant).logo(known)
        if found is None:
            raise LogoNotFound("There is no logo at this host.", hint="GET /api/branding tells where there is one.")
        return found


def logo_of(text: str) -> Logo:
    """The picture that is sent. Raises `InvalidLogo`."""
    picture = picture_of(text)
    return Logo(picture, type_of(picture), hashlib.sha256(picture).hexdigest())
