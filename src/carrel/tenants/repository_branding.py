"""All SQL over the looks of organisations."""

from dataclasses import dataclass
from typing import Any

from carrel.core.ids import TenantId
from carrel.infra.db import Executor
from carrel.tenants.schemas_branding import BrandingSettings, Logo, Look

BEGIN = "INSERT INTO branding (tenant_id) VALUES (%(tenant)s) ON CONFLICT (tenant_id) DO NOTHING"
# Each column apart, so that two who change different things at once both have their way.
CHANGE_NAME = "UPDATE branding SET display_name = %(value)s WHERE tenant_id = %(tenant)s"
CHANGE_COLOR = "UPDATE branding SET primary_color = %(value)s WHERE tenant_id = %(tenant)s"
CHANGE_LOGO = """
    UPDATE branding SET logo = %(content)s, logo_type = %(type)s, logo_digest = %(digest)s
    WHERE tenant_id = %(tenant)s
"""
SETTINGS = """
    SELECT display_name, primary_color, logo_type, octet_length(logo) AS logo_bytes
    FROM branding WHERE tenant_id = %(tenant)s
"""
LOOK = """
    SELECT o.name, b.display_name, b.primary_color, b.logo_digest
    FROM organizations o LEFT JOIN branding b ON b.tenant_id = o.id
    WHERE o.id = %(tenant)s
"""
# The bytes are read only if they are not those that the caller has.
LOGO = """
    SELECT CASE WHEN logo_digest = %(known)s THEN ''::bytea ELSE logo END AS content,
           logo_type AS type, logo_digest AS digest
    FROM branding WHERE tenant_id = %(tenant)s AND logo IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class BrandingRow:
    """The looks of one organisation. The gate reads them, its own transactions change them."""

    db: Executor
    tenant: TenantId

    async def begin(self) -> None:
        """Make the row that is changed, if it is missing."""
        await self.db.execute(BEGIN, tenant=self.tenant)

    async def rename(self, name: str | None) -> None:
        await self.db.execute(CHANGE_NAME, tenant=self.tenant, value=name)

    async def color(self, color: str | None) -> None:
        await self.db.execute(CHANGE_COLOR, tenant=self.tenant, value=color)

    async def draw(self, logo: Logo | None) -> None:
        values: dict[str, Any] = {"content": None, "type": None, "digest": None}
        if logo is not None:
            values = {"content": logo.content, "type": logo.type, "digest": logo.digest}
        await self.db.execute(CHANGE_LOGO, tenant=self.tenant, **values)

    async def settings(self) -> BrandingSettings | None:
        return await self.db.one_or_none(BrandingSettings, SETTINGS, tenant=self.tenant)

    async def look(self) -> Look | None:
        return await self.db.one_or_none(Look, LOOK, tenant=self.tenant)

    async def logo(self, known: str) -> Logo | None:
        """The picture, without its content if its digest is `known`."""
        return await self.db.one_or_none(Logo, LOGO, tenant=self.tenant, known=known)
