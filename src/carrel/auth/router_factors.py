"""Second factors over HTTP."""

from typing import Annotated

from carrel.auth.device import From
from carrel.auth.entrance import Entrance
from carrel.auth.factors import Factors
from carrel.auth.schemas_factors import (
    Confirmation,
    Enrolment,
    FactorChange,
    FactorState,
    NewFactor,
    RecoveryCodes,
    SecondStep,
)
from carrel.auth.schemas_users import SignedIn, SignedInByCookie
from carrel.auth.visits import Visiting
from carrel.infra.web import Router, carries_secret, provided, requires

router = Router(prefix="/api/auth", tags=["accounts"])

Own = Annotated[Factors, provided(Factors)]
SHOWN_ONCE = [requires("account"), carries_secret()]


@router.post("/login/totp", operation_id="login_second_step")
async def login_second_step(
    wanted: SecondStep, device: From, visit: Visiting, doors: Annotated[Entrance, provided(Entrance)]
) -> SignedIn | SignedInByCookie:
    """Finish a login that was answered with `second-factor-required`, by its ticket and a code or recovery code.

    A code is good once, and so is a recovery code. A ticket is good for 5 minutes, and for one login.
    """
    return await visit.begun(doors.desk, await doors.threshold(device).finish(wanted), cookie=wanted.cookie)


@router.get("/totp", operation_id="get_second_factor", dependencies=[requires("account")])
async def get_second_factor(factors: Own) -> FactorState:
    """Whether your logins ask for a second factor."""
    return await factors.state()


@router.post("/totp", operation_id="enrol_second_factor", status_code=201, dependencies=SHOWN_ONCE)
async def enrol_second_factor(wanted: Enrolment, factors: Own) -> NewFactor:
    """Get a secret for an authenticator program (TOTP), shown this once. It counts once it is confirmed."""
    return await factors.enrol(wanted.current_password)


@router.post("/totp/confirm", operation_id="confirm_second_factor", dependencies=SHOWN_ONCE)
async def confirm_second_factor(wanted: Confirmation, factors: Own) -> RecoveryCodes:
    """Put the second factor into force with a first code. The answer shows ten recovery codes this once."""
    return await factors.confirm(wanted)


@router.post("/totp/disable", operation_id="disable_second_factor", status_code=204, dependencies=[requires("account")])
async def disable_second_factor(wanted: FactorChange, factors: Own) -> None:
    """Take the second factor out of force, with the password and a code or recovery code."""
    await factors.disable(wanted)


@router.post("/totp/recovery-codes", operation_id="renew_recovery_codes", dependencies=SHOWN_ONCE)
async def renew_recovery_codes(wanted: FactorChange, factors: Own) -> RecoveryCodes:
    """Get ten new recovery codes, shown this once. The former ones are worthless."""
    return await factors.renew_codes(wanted)
