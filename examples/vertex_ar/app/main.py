"""The application: `uvicorn app.main:app`. It needs `pip install 'holdfast[server]'`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse

from app import database
from app.api.backups import router

app = FastAPI(title="Vertex AR")
app.include_router(router, tags=["backups"])


@app.get("/health")
def health() -> dict[str, str]:
    """Whether it lives."""
    return {"status": "ok"}


@app.get("/totals")
def totals() -> dict[str, Any]:
    """How much there is of everything."""
    with database.connect() as connection:
        return database.totals(connection)


@app.get("/portraits/{link}")
def portrait(link: str) -> dict[str, Any]:
    """One portrait, with its video and its markers."""
    with database.connect() as connection:
        found = database.portrait(connection, link)
    if found is None:
        raise HTTPException(404)
    return found


@app.get("/storage/{name:path}")
def stored_file(name: str) -> FileResponse:
    """A file of a portrait."""
    file = (database.ROOT / "storage" / name).resolve()
    if not file.is_relative_to(database.ROOT / "storage") or not file.is_file():
        raise HTTPException(404)
    return FileResponse(file)
