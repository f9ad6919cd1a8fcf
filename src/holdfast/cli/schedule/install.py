"""`holdfast schedule install` and `holdfast schedule remove`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from holdfast.cli import values
from holdfast.cli.app_session import AppSession, app_command, dry_run_option, pass_session
from holdfast.cli.schedule.show import policy_option
from holdfast.errors import ScheduleNotInstalled, UsageError

if TYPE_CHECKING:
    from holdfast.app import App
    from holdfast.policy.planned import PlannedPolicy
    from holdfast.scheduler.units import UnitFacts

systemd_option = click.option("--systemd", "with_systemd", is_flag=True, help="Timers and services of systemd.")
cron_option = click.option("--cron", "with_cron", is_flag=True, help="Lines in the crontab of this user.")
user_option = click.option("--user", is_flag=True, help="With --systemd: this user's own manager, not the machine's.")
directory_option = click.option(
    "--directory", metavar="DIR", help="With --systemd: write the units there, and do not call systemctl."
)


@app_command("install", help="Let systemd or cron run the policies.")
@systemd_option
@cron_option
@user_option
@directory_option
@policy_option
@dry_run_option
@pass_session
def install(
    session: AppSession,
    with_systemd: bool,
    with_cron: bool,
    user: bool,
    directory: str | None,
    names: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Writes what runs the policies that are enabled."""
    from holdfast.cli.schedule.policies import planned

    _one_of(with_systemd, with_cron)
    app = session.app()
    policies = [policy for policy in planned(app, names).values() if policy.enabled]
    if with_cron:
        _install_cron(session, app, policies, dry_run=dry_run)
        return
    from holdfast.cli.schedule.systemd import Units

    facts = [_unit(app, policy, session, user=user) for policy in policies]
    units = Units(app.name, user=user, directory=directory)
    written = units.planned(facts)
    session.printer.document({"units": {str(path): text for path, text in written.items()}, "dry_run": dry_run})
    for path, text in written.items():
        if dry_run:
            session.printer.line(f"# {values.name(str(path))}\n{text}")
        else:
            session.printer.note("{path}", path=str(path))
    if not dry_run:
        units.install(written)


@app_command("remove", help="Take back what install wrote.")
@systemd_option
@cron_option
@user_option
@directory_option
@dry_run_option
@pass_session
def remove(
    session: AppSession, with_systemd: bool, with_cron: bool, user: bool, directory: str | None, dry_run: bool
) -> None:
    """Deletes our units, or our lines of the crontab."""
    _one_of(with_systemd, with_cron)
    app, printer = session.app(), session.printer
    if with_cron:
        from holdfast.cli.schedule.crontab import read_crontab, write_crontab
        from holdfast.scheduler.crontab import lines_of

        crontab = read_crontab()
        printer.document({"lines": lines_of(crontab, app.name), "dry_run": dry_run})
        for line in lines_of(crontab, app.name):
            printer.note("{line}", line=line)
        changed = _without(crontab, app.name)
        if changed != crontab and not dry_run:
            write_crontab(changed, expected=crontab)
        return
    from holdfast.cli.schedule.systemd import Units

    units = Units(app.name, user=user, directory=directory)
    ours = units.installed()
    printer.document({"units": [str(path) for path in ours], "dry_run": dry_run})
    for path in ours:
        printer.note("{path}", path=str(path))
    if not dry_run:
        units.remove(ours)


def _one_of(with_systemd: bool, with_cron: bool) -> None:
    if with_systemd == with_cron:
        raise UsageError(detail="name one of --systemd and --cron")


def _unit(app: App, policy: PlannedPolicy, session: AppSession, *, user: bool) -> UnitFacts:
    from holdfast.errors import Phrase
    from holdfast.policy.on_calendar import on_calendar
    from holdfast.runtime.host import user_name
    from holdfast.scheduler.units import UnitFacts

    calendar = on_calendar(policy.due, policy.timezone, app.context.now())
    if isinstance(calendar, Phrase):
        raise ScheduleNotInstalled(place="systemd", reason=calendar)
    owner = os.stat(app.config.path).st_uid
    hooks = app.config.hooks
    hooked = any(hooks.lines(name) for name in ("before_backup", "after_backup"))
    return UnitFacts(
        app=app.name,
        policy=policy.name,
        calendar=calendar,
        command=_command(app, policy, session),
        user="" if user else user_name(owner) or str(owner),
        directory=str(app.config.base_dir.resolve()),
        writable=None if hooked else _writable(app),
        timeout_s=_longest_s(policy),
    )


def _longest_s(policy: PlannedPolicy) -> int:
    from holdfast.scheduler.planning import delay_s

    waits = sum(delay_s(policy, attempt) for attempt in range(1, policy.retries + 1))
    return int(policy.jitter_s + (policy.retries + 1) * policy.timeout_s + waits) + 600


def _command(app: App, policy: PlannedPolicy, session: AppSession) -> list[str]:
    program = os.path.abspath(sys.argv[0])
    here = os.path.basename(program) == "holdfast" and os.access(program, os.X_OK)
    command = [program] if here else [sys.executable, "-m", "holdfast"]
    environment = session.options.environment or os.environ.get("HOLDFAST_ENV", "")
    return [
        *command,
        "schedule",
        "run",
        "--config",
        str(app.config.path.resolve()),
        *(["--env", environment] if environment else []),
        *(["--spread"] if policy.jitter_s else []),
        policy.name,
    ]


def _writable(app: App) -> list[str]:
    """Folders a backup writes to: state, targets, and the folder of the application, where SQLite keeps its log."""
    from holdfast.app.building import local_root

    config = app.config
    places = [config.base_dir, config.state_dir, config.scratch_dir]
    places += [local_root(config, target) for target in config.targets.values()]
    places += [config.log_file.parent if config.log_file else None]
    for source in config.sources.values():
        path = getattr(source.options, "path", None)
        places += [config.resolve(path).parent] if isinstance(path, str) else []
    return list(dict.fromkeys(str(place.resolve()) for place in places if place is not None))


def _install_cron(session: AppSession, app: App, policies: list[PlannedPolicy], *, dry_run: bool) -> None:
    from holdfast.cli.schedule.crontab import machine_zone, read_crontab, write_crontab
    from holdfast.errors import Phrase
    from holdfast.policy.cron import plain_line
    from holdfast.policy.on_calendar import same_clock
    from holdfast.scheduler.crontab import command_line, with_lines

    machine = machine_zone()
    for policy in policies:
        if not same_clock(policy.schedule, policy.due.zone, machine, app.context.now()):
            named = {"policy": policy.name, "zone": policy.timezone, "machine": str(machine)}
            reason = Phrase("policy {policy} goes by the clock of {zone}, cron by that of {machine}", named)
            raise ScheduleNotInstalled(place="cron", reason=reason)
    # What goes well is not worth a mail from cron.
    lines = [
        command_line(plain_line(policy.schedule), [*_command(app, policy, session), "--quiet"]) for policy in policies
    ]
    session.printer.document({"lines": lines, "dry_run": dry_run})
    for line in lines:
        session.printer.note("{line}", line=line)
    if dry_run:
        return
    crontab = read_crontab()
    try:
        changed = with_lines(crontab, app.name, lines)
    except ValueError:
        raise _marks_broken(app.name) from None
    write_crontab(changed, expected=crontab)


def _without(crontab: bytes, app: str) -> bytes:
    from holdfast.scheduler.crontab import without_lines

    try:
        return without_lines(crontab, app)
    except ValueError:
        raise _marks_broken(app) from None


def _marks_broken(app: str) -> ScheduleNotInstalled:
    from holdfast.errors import Phrase

    reason = Phrase("the marks around the lines of {app} are not a pair; edit it with crontab -e", {"app": app})
    return ScheduleNotInstalled(place="cron", reason=reason)
