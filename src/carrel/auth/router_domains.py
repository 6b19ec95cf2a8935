"""Domains of organisations over HTTP: one's own, and those of all for operators."""

from typing import Annotated

from carrel.auth.domains import AllDomains, Domains, Verification
from carrel.auth.schemas_domains import Domain, DomainDecision, DomainId, DomainList, NewDomain
from carrel.core.ids import TenantId
from carrel.infra.web import Router, provided, requires

router = Router(prefix="/api/organization/domains", tags=["organization"])
operation = Router(prefix="/api/admin/organizations/{organization_id}/domains", tags=["operators"])

Own = Annotated[Domains, provided(Domains)]
All = Annotated[AllDomains, provided(AllDomains)]


@router.get("", operation_id="list_domains", dependencies=[requires("admin")])
async def list_domains(domains: Own) -> DomainList:
    """The names by which your organization is called, or wants to be."""
    return await domains.all()


@router.post("", operation_id="add_domain", status_code=201, dependencies=[requires("admin")])
async def add_domain(wanted: NewDomain, domains: Own) -> Domain:
    """Ask for a name of your own. It means nothing before it is verified: add `record` to the zone of the host."""
    return await domains.add(wanted)


@router.get("/{domain_id}", operation_id="get_domain", dependencies=[requires("admin")])
async def get_domain(domain_id: DomainId, domains: Own) -> Domain:
    """One of your domains."""
    return await domains.get(domain_id)


@router.delete("/{domain_id}", operation_id="remove_domain", status_code=204, dependencies=[requires("admin")])
async def remove_domain(domain_id: DomainId, domains: Own) -> None:
    """Give a name back. Within 5 seconds it is nobody's on any server."""
    await domains.remove(domain_id)


@router.post("/{domain_id}/verify", operation_id="verify_domain", dependencies=[requires("admin")])
async def verify_domain(domain_id: DomainId, verification: Annotated[Verification, provided(Verification)]) -> Domain:
    """Look for the record in the zone of the host. Of several organizations that ask for a host, the first has it."""
    return await verification.verify(domain_id)


@operation.get("", operation_id="list_any_domains", dependencies=[requires("operator")])
async def list_any_domains(organization_id: TenantId, domains: All) -> DomainList:
    """The domains of an organization."""
    return await domains.of(organization_id).all()


@operation.patch("/{domain_id}", operation_id="decide_domain", dependencies=[requires("operator")])
async def decide_domain(organization_id: TenantId, domain_id: DomainId, wanted: DomainDecision, domains: All) -> Domain:
    """Say that a domain is an organization's without a record, or that it is not any more."""
    return await domains.of(organization_id).decide(domain_id, verified=wanted.verified)
