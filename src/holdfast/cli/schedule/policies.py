"""The policies of an application, and the catalog if there is one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from holdfast.errors import NothingToDo, UnknownName

if TYPE_CHECKING:
    from holdfast.app import App
    from holdfast.catalog import Catalog
    from holdfast.policy.planned import PlannedPolicy


def planned(app: App, names: tuple[str, ...] = (), catalog: Catalog | None = None) -> dict[str, PlannedPolicy]:
    """Policies with a schedule, those of a panel included; only these if names are given.

    Raises:
        UnknownName: there is no such policy.
        NothingToDo: there is no policy with a schedule.
    """
    from holdfast.app.planned import planned_policies

    policies = planned_policies(app.config)
    if catalog is not None:
        from holdfast.service.schedule_settings import ScheduleSettings

        panel = ScheduleSettings(catalog.settings, app.config, app.context.clock).policies()
        # A panel has policies of its own from the beginning; they are of interest once somebody turns them on.
        policies = {name: policy for name, policy in panel.items() if policy.enabled or name in policies}
    for name in names:
        if name not in policies:
            raise UnknownName(what="policy with a schedule", name=name, known=", ".join(policies) or "none")
    if not policies:
        raise NothingToDo(reason="no policy has a schedule")
    return {name: policy for name, policy in policies.items() if not names or name in names}


@contextmanager
def catalog_of(app: App) -> Generator[Catalog | None, None, None]:
    """The catalog of an application; None if it has none yet, or the libraries for it are not installed."""
    from holdfast.app.catalog_of import local_path

    path = local_path(app.config)
    if path is not None and not path.exists():
        yield None
        return
    try:
        from holdfast.app.catalog_of import open_app_catalog

        catalog = open_app_catalog(app)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("holdfast"):
            raise
        yield None
        return
    try:
        yield catalog
    finally:
        catalog.close()
