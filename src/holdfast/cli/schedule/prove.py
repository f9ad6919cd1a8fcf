"""`holdfast schedule prove`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from holdfast.cli import values
from holdfast.cli.app_output import age
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.text import _, render
from holdfast.errors import PromiseBroken, UsageError

if TYPE_CHECKING:
    from holdfast.app import App
    from holdfast.catalog import Catalog
    from holdfast.policy.objectives import Finding, Measured, Promises, Proof
    from holdfast.policy.planned import PlannedPolicy

_NEWEST = 20


@app_command("prove", help="Work out whether the schedule keeps the objectives.")
@pass_session
def command(session: AppSession) -> None:
    """Prints the worst case of each promise; the exit status is 5 if one is broken."""
    from holdfast.cli.schedule.policies import catalog_of, planned
    from holdfast.policy.objectives import prove

    app = session.app()
    promises = _promises(app)
    if promises.rpo_s is None and promises.rto_s is None and not promises.max_age_s:
        raise UsageError(detail="nothing is promised: there is neither rpo nor rto nor max_age under [objectives]")
    with catalog_of(app) as catalog:
        policies = planned(app, (), catalog)
        measured = _measured(app, catalog, policies)
    proof = prove(list(policies.values()), _covers(app, policies), measured, promises, app.context.now())
    session.printer.document(msgspec.to_builtins(proof))
    _print(session, proof)
    if proof.broken:
        raise PromiseBroken(broken=", ".join(dict.fromkeys(finding.promise for finding in proof.broken)))


def _promises(app: App) -> Promises:
    from holdfast.policy.objectives import Promises

    objectives = app.config.objectives
    ages = {name: float(seconds) for name, seconds in objectives.max_age_s.items()}
    return Promises(rpo_s=objectives.rpo_s, rto_s=objectives.rto_s, max_age_s=ages)


def _covers(app: App, policies: dict[str, PlannedPolicy]) -> dict[str, list[str]]:
    sources = app.context.sources
    covers = {"": list(sources)}
    for policy in policies.values():
        fitting = [name for name, source in sources.items() if policy.type.takes(source.role)]
        covers[policy.name] = [name for name in fitting if not policy.sources or name in policy.sources]
    return covers


def _measured(app: App, catalog: Catalog | None, policies: dict[str, PlannedPolicy]) -> Measured:
    """The longest of the last good runs; of a panel's policies, too."""
    from holdfast.policy.objectives import Measured
    from holdfast.policy.schedule import spread_s
    from holdfast.runtime.host import hostname

    spread = {name: spread_s(app.name, name, hostname(), policy.jitter_s) for name, policy in policies.items()}
    if catalog is None:
        return Measured(spread_s=spread)
    durations = {name: _longest_s(catalog, app.name, "create", name) for name in policies}
    return Measured(
        duration_s={name: took for name, took in durations.items() if took is not None},
        restore_s=_longest_s(catalog, app.name, "restore", None),
        spread_s=spread,
    )


def _longest_s(catalog: Catalog, app: str, operation: str, policy: str | None) -> float | None:
    from holdfast.catalog.queries import RunFilter
    from holdfast.model.run import RunState

    wanted = RunFilter(app=app, operations=(operation,), policy=policy, states=(RunState.SUCCEEDED,), limit=_NEWEST)
    return max((run.duration_s for run in catalog.runs.find(wanted) if run.duration_s is not None), default=None)


def _print(session: AppSession, proof: Proof) -> None:
    printer = session.printer
    rows = [
        [
            finding.promise,
            values.name(finding.source) or "-",
            age(finding.allowed_s),
            _worst(finding),
            _("broken") if finding.kept is False else _("kept") if finding.kept else _("not known"),
        ]
        for finding in proof.findings
    ]
    printer.table([_("Promise"), _("Source"), _("Allowed"), _("Worst case"), _("Result")], rows)
    if any(not finding.measured for finding in proof.findings):
        printer.note("Where it says “not measured”, no run has been measured yet, and durations count as nothing.")
    for change in proof.change:
        printer.say(
            "Proposed: {key} = {proposed} (now {former})",
            key=change.key,
            proposed=change.proposed,
            former=change.former,
        )
    if proof.change:
        printer.note("With what is proposed no promise is broken; that was proven as well.")


def _worst(finding: Finding) -> str:
    if finding.worst_s is None:
        return _("never") if finding.promise != "rto" else _("not measured")
    return age(finding.worst_s) if finding.measured else render("{age}, not measured", {"age": age(finding.worst_s)})
