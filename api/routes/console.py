"""The operator pages: one page and its modules, as files. They hold no data, so they are open."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

_FOLDER = Path(__file__).parent.parent / "console"

router = APIRouter(include_in_schema=False)
static_files = StaticFiles(directory=_FOLDER / "static", check_dir=False)


@router.get("/")
@router.head("/")
async def index() -> FileResponse:
    """The single page; its address never changes, what it shows is in the part after #."""
    return FileResponse(_FOLDER / "index.html", media_type="text/html", headers={"Cache-Control": "no-cache"})
