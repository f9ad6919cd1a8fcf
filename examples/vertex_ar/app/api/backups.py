"""Backups for the admin panel: `/backups/create`, `list`, `stats`, `restore`, `rotate`.

The token of an administrator travels in the cookie `authToken`; `holdfast token create --scope admin` makes one.
"""

from holdfast.fastapi import router

__all__ = ["router"]
