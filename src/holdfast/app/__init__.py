"""The composition root: configuration in, live objects out."""

from __future__ import annotations

from holdfast.app.application import App, app_from_config, load_app
from holdfast.app.overrides import Overrides
from holdfast.app.parameters import config_from_parameters

__all__ = ["App", "Overrides", "app_from_config", "config_from_parameters", "load_app"]
