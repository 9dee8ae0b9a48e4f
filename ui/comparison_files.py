"""The saved comparisons as files to take away: `/nudge/comparisons/<id>.html` and `.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lab.comparison_page import page
from lab.errors import LabError
from lab.saved_comparisons import Comparisons

if TYPE_CHECKING:
    from lab.workspace import Workspace


def comparison_route(workspace: Workspace) -> Route:
    """The address of the saved comparisons of a workspace. Browsers save the files and do not open them here."""
    saved = Comparisons(workspace.folder / "comparisons")

    def file(request: Request) -> Response:
        id, form = request.path_params["id"], request.path_params["form"]
        try:
            comparison = saved.get(id)
        except LabError as error:
            return PlainTextResponse(str(error), 404)
        headers = {"Content-Disposition": f'attachment; filename="nudge-comparison-{comparison.id}.{form}"'}
        if form == "json":
            return Response(
                json.dumps(comparison.to_json(), ensure_ascii=False, indent=1),
                media_type="application/json",
                headers=headers,
            )
        if form == "html":
            return Response(page(comparison), media_type="text/html; charset=utf-8", headers=headers)
        return PlainTextResponse("A comparison comes as .html or .json.", 404)

    return Route("/nudge/comparisons/{id}.{form}", file)
