"""Why a run or completion is not begun, or what was waited for is not there."""

import math

from service.errors import Conflict, EngineBusy, ServiceError
from service.messages import Text
from service.schemas.runs import RunPublic

# How long whoever asks a server that is stopping should wait for the next one.
RESTART_S = 5


def stopping() -> EngineBusy:
    return EngineBusy(
        Text("The server is stopping. Try again in a moment."), retry_after_s=RESTART_S
    )


def too_many(admitted: int, mean_s: float) -> EngineBusy:
    wait_s = max(1, math.ceil(mean_s))
    return EngineBusy(
        Text(
            "%(admitted)s runs are waiting or running, which is the limit. Try again in "
            "about %(wait_s)s seconds.",
            admitted=admitted,
            wait_s=wait_s,
        ),
        retry_after_s=wait_s,
    )


def not_done(run: RunPublic) -> ServiceError:
    """For whoever waited for a run that somebody stopped, or whose server stopped."""
    if run.status == "interrupted":
        return EngineBusy(
            Text(
                "The run was interrupted, because its server stopped. /runs/%(run_id)s shows what it "
                "made. Try again in a moment.",
                run_id=run.run_id,
            ),
            retry_after_s=RESTART_S,
        )
    return Conflict(
        Text(
            "The run was %(status)s before it was done. /runs/%(run_id)s shows what it made.",
            status=run.status,
            run_id=run.run_id,
        )
    )
