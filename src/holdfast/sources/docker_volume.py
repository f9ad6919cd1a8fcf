"""Volumes of a container engine."""

from __future__ import annotations

from holdfast.sources.files_options import DockerVolumeOptions

__all__ = ["DockerVolumeOptions"]
