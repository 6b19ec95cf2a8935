"""The walk's rows for operators and second factors."""

from tests.house import Home
from tests.isolation.calls import NONE, Call, Row, for_a_person, of_nobody, plain
from tests.isolation.conftest import PASSWORD, Resident


def operators(home: Home) -> str:
    """The key of the server's administrator."""
    return (home.house.data_dir / "admin.key").read_text("utf-8").strip()


async def own_users(us: Resident) -> Call:
    return Call("GET", "/api/admin/users", 200, {"params": {"q": us.member.email}}, token=operators(us.home))


async def own_tier(us: Resident) -> Call:
    return Call("PATCH", f"/api/admin/users/{us.member.id}", 200, {"json": {"tier": "pro"}}, token=operators(us.home))


# Operators see all organizations; an organization's own administrators are none.
A_CHANGE = {"current_password": PASSWORD, "code": "123456"}
FACTORS: dict[str, Row] = {
    "list_users": Row(own_users, lambda them: [Call("GET", "/api/admin/users", 403, {"params": {"q": them.word}})]),
    "change_user": Row(
        own_tier,
        lambda them: [Call("PATCH", f"/api/admin/users/{them.member.id}", 403, {"json": {"enabled": False}})],
    ),
    "login_second_step": of_nobody("/api/auth/login/totp", 401, ticket=NONE, code="123456"),
    "get_single_sign_on": plain("/api/auth/oidc"),
    "begin_single_sign_on": plain("/api/auth/oidc/login", 404),
    "finish_single_sign_on": plain("/api/auth/oidc/callback", 404),
    "get_second_factor": for_a_person("GET", "/api/auth/totp"),
    "enrol_second_factor": for_a_person("POST", "/api/auth/totp", 201, json={"current_password": PASSWORD}),
    "confirm_second_factor": for_a_person("POST", "/api/auth/totp/confirm", 422, json={"code": "12345"}),
    "disable_second_factor": for_a_person("POST", "/api/auth/totp/disable", 409, json=A_CHANGE),
    "renew_recovery_codes": for_a_person("POST", "/api/auth/totp/recovery-codes", 409, json=A_CHANGE),
}
