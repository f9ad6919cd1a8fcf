"""The words for each occasion: what happened, and what to do next.

Sentences say what is the same every time. What differs stands in lines of its own below them, so that no sentence has
to be bent around a name in four languages.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.model.notice import Occasion
from holdfast.runtime.translation import N_


class Words(NamedTuple):
    """A title, a sentence about what happened, and one about what to do next: English literals."""

    title: str
    what: str
    then: str


_NOTHING = N_("Nothing needs to be done.")
_DOCTOR = N_("Run `holdfast doctor`, put right what it says, and try again.")
_NOBODY = N_("If none of you did this, revoke the tokens and change the passwords now.")

WORDS: dict[tuple[Occasion, str], Words] = {
    (Occasion.STARTED, ""): Words(N_("{app}: backup started"), N_("A backup has begun."), _NOTHING),
    (Occasion.SUCCESS, ""): Words(N_("{app}: backup made"), N_("The backup was made."), _NOTHING),
    (Occasion.WARNING, ""): Words(
        N_("{app}: something is missing in the backup"),
        N_("A backup was made, but not everything is in it."),
        N_("Run `holdfast show latest` to see what is missing, fix the cause and back up again."),
    ),
    (Occasion.FAILURE, ""): Words(N_("{app}: an operation failed"), N_("What was asked for was not done."), _DOCTOR),
    (Occasion.FAILURE, "create"): Words(N_("{app}: the backup failed"), N_("No backup was made."), _DOCTOR),
    (Occasion.FAILURE, "restore"): Words(N_("{app}: the restore failed"), N_("The restore was not done."), _DOCTOR),
    (Occasion.FAILURE, "verify"): Words(
        N_("{app}: the verification failed"), N_("Backups could not be read again to their end."), _DOCTOR
    ),
    (Occasion.FAILURE, "after"): Words(
        N_("{app}: something after the backup failed"),
        N_("The backup was made; what should have followed it was not done."),
        _DOCTOR,
    ),
    (Occasion.FAILURE, "lost"): Words(
        N_("{app}: the backup broke off"),
        N_("The process that made the backup ended without a word."),
        N_("See the log of the system: the machine may have been switched off, or out of memory."),
    ),
    (Occasion.OVERDUE, ""): Words(
        N_("{app}: a backup is overdue"),
        N_("A backup that was due has not been made."),
        N_("See whether the scheduler runs: `holdfast schedule status`. Make a backup now: `holdfast create`."),
    ),
    (Occasion.RECOVERED, ""): Words(
        N_("{app}: backups work again"), N_("The first backup after a failure was made."), _NOTHING
    ),
    (Occasion.LOW_SPACE, ""): Words(
        N_("{app}: there is little room left"),
        N_("A target is almost full; one of the next backups will not fit."),
        N_("Make room there, or keep fewer backups: `holdfast rotate --dry-run` shows what would go."),
    ),
    (Occasion.SHRUNK, ""): Words(
        N_("{app}: the backup is much smaller than usual"),
        N_("Far less was read than for the backups before."),
        N_("See whether the application lost data. Keep a good backup meanwhile: `holdfast hold`."),
    ),
    (Occasion.GROWN, ""): Words(
        N_("{app}: the backup is much larger than usual"),
        N_("Far more was read than for the backups before."),
        N_("See what grew: `holdfast show latest`. Check that the targets have room for it."),
    ),
    (Occasion.REFUSED, ""): Words(
        N_("{app}: nothing was removed"),
        N_("Backups were to be removed, and this was refused."),
        N_("See the reasons: `holdfast rotate --dry-run`."),
    ),
    (Occasion.DAMAGE, ""): Words(
        N_("{app}: a backup is damaged"),
        N_("What is stored is not what was stored."),
        N_("Make a new backup while the application is well. Restore from another copy only."),
    ),
    (Occasion.RESTORED, ""): Words(N_("{app}: a backup was restored"), N_("A backup was restored."), _NOBODY),
    (Occasion.RESTORED, "download"): Words(
        N_("{app}: a backup was downloaded"), N_("Somebody took a whole backup away."), _NOBODY
    ),
    (Occasion.DRILL_FAILED, ""): Words(
        N_("{app}: the rehearsal of a restore failed"),
        N_("A backup did not come back as it should."),
        N_("Do not rely on this backup. Find the cause, make a new one, and rehearse again."),
    ),
    (Occasion.DELIVERY_FAILED, ""): Words(
        N_("{app}: messages do not arrive"),
        N_("A channel does not take messages; this one does."),
        N_("See `holdfast notify list`. Correct its URL, then run `holdfast notify test`."),
    ),
    (Occasion.REPORT, ""): Words(N_("{app}: report"), N_("Here is the report on the backups."), _NOTHING),
    (Occasion.TEST, ""): Words(N_("{app}: test message"), N_("If you read this, this channel works."), _NOTHING),
}

FACTS: dict[str, str] = {
    "backup": N_("Backup: {value}"),
    "type": N_("Type: {value}"),
    "policy": N_("Policy: {value}"),
    "source": N_("Source: {value}"),
    "target": N_("Target: {value}"),
    "channel": N_("Channel: {value}"),
    "first_due_at": N_("Due for the first time: {value}"),
    "due_at": N_("Due: {value}"),
    "last_success_at": N_("Last good backup: {value}"),
    "duration_s": N_("Took: {value}"),
    "size_bytes": N_("Size: {value}"),
    "usual_bytes": N_("Usual size: {value}"),
    "free_bytes": N_("Free: {value}"),
    "count": N_("Number: {value}"),
    "attempt": N_("Attempt: {value}"),
    "destination": N_("Restored to: {value}"),
    "actor": N_("Asked for by: {value}"),
    "address": N_("From: {value}"),
    "reason": N_("Reason: {reason}"),
}
"""What may stand in `Notice.values`, in the order in which it is told. Names that end in `_bytes`, `_s` and `_at` hold
a number, a number and a time in ISO 8601."""

NEXT = N_("What to do: {detail}")
WHEN = N_("Time: {value}")
RUN = N_("Run: {value}")
