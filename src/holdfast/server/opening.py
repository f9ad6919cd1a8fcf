"""From a configuration to everything that a server is made of."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from holdfast.app import App, load_app
from holdfast.app.catalog_of import open_app_catalog
from holdfast.app.notifying import courier, limits
from holdfast.catalog.catalog import Catalog
from holdfast.notifiers.delivery import Courier
from holdfast.runtime.cancel import CancelToken
from holdfast.scheduler.loop import Scheduler
from holdfast.server.sentry import Sentry
from holdfast.server.settings import ServerSettings
from holdfast.server.site import Site
from holdfast.service.reporting import Reporter
from holdfast.service.schedule_settings import create_request
from holdfast.service.service import Service
from holdfast.service.telling import Teller

COMMAND = "holdfast serve"
_FIRST_LIST_S = 30.0


class Deployment:
    """Everything behind one server. Close it, or use it as a context manager.

    Attributes:
        site: what routes share.
        scheduler: runs policies when they are due.
        courier: brings messages to people.
        reporter: sends reports on what is over.
    """

    def __init__(
        self, config: Path | None, environ: Mapping[str, str], cwd: Path, environment: str | None = None
    ) -> None:
        def open_app(cancel: CancelToken) -> App:
            return load_app(config, environment, environ, cwd, cancel=cancel, command=COMMAND)

        with open_app(CancelToken()) as app:
            self.catalog: Catalog = open_app_catalog(app)
            self.config = app.config
            clock = app.context.clock
            self.courier: Courier = courier(app.config, self.catalog.deliveries, clock=clock)
        self.teller = Teller(self.courier, self.catalog.runs, limits(self.config))
        self.service = Service(open_app, self.catalog, hears=self.teller, clock=clock)
        self.site = Site(self.service, Sentry(self.catalog.tokens, clock=clock), self.teller.tell)
        self.scheduler = Scheduler(
            self.catalog,
            self.service.app_name,
            self.service.schedule.policies,
            self.service.execute,
            self.teller.tell,
            request=create_request,
            clock=clock,
        )
        self.reporter = Reporter(self.catalog, open_app, self.teller.tell)

    @property
    def settings(self) -> ServerSettings:
        """How the server answers."""
        server = self.config.server
        return ServerSettings(
            language=server.language or self.config.app.language,
            allowed_hosts=frozenset(server.allowed_hosts),
            trusted_proxies=server.trusted_proxies,
            encrypted=server.tls_cert is not None,
        )

    def close(self) -> None:
        """Gives everything back."""
        self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_site(config: Path | None, environ: Mapping[str, str], cwd: Path) -> Site:
    """One application for a router in somebody else's server, with messages on their way and the mirror kept fresh.

    Nothing is scheduled there: `holdfast serve`, cron or systemd do that.
    """
    deployment = Deployment(config, environ, cwd)
    mirror, never = deployment.service.mirror, CancelToken()
    threading.Thread(target=deployment.courier.work, args=(never,), daemon=True, name="courier").start()
    threading.Thread(target=mirror.serve, args=(never,), daemon=True, name="mirror").start()
    mirror.wait_listed(_FIRST_LIST_S, never)
    return deployment.site
