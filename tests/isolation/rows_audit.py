"""The walk's rows for the audit log."""

from tests.isolation.calls import Call, Row, listing, plain
from tests.isolation.conftest import Resident

PATH = "/api/admin/audit"


async def own_server_log(us: Resident) -> Call:
    # Administrators of an organisation are no operators of the server.
    return Call("GET", f"{PATH}/server", 403)


AUDIT: dict[str, Row] = {
    "list_audit_events": listing(PATH),
    "export_audit_events": plain(f"{PATH}/export"),
    "verify_audit_log": plain(f"{PATH}/verify"),
    "list_server_audit_events": Row(own_server_log),
}
