"""
Manifests from a bucket and reports to it, over HTTP: whole, or one clear sentence.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from firstlight.errors import FirstlightError, ManifestError, RegistryError, UnfinishedError
from firstlight.importing import s3
from firstlight.importing.objects import Object
from firstlight.importing.s3 import S3
from firstlight.registries.aws_credentials import Keys

_OF = Object("uploads", "manifests/line 7/a+b%20ü.csv")
_LIMIT = 99

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Does = Callable[[S3], Awaitable[None]]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PAUSE", 0.001)


def _with(handler: _Handler, does: _Does) -> None:
    async def go() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            await does(
                S3(
                    region="eu-west-1",
                    credentials=lambda: Keys("AKID", "secret"),
                    endpoint_url=f"http://127.0.0.1:{port}",
                )
            )
        finally:
            await runner.cleanup()

    asyncio.run(go())


@pytest.mark.parametrize("chunked", [False, True], ids=["said", "not said"])
def test_what_is_too_large_is_not_fetched_whole(tmp_path: Path, chunked: bool) -> None:  # noqa: FBT001 -- a parameter
    """
    Whether its size is said beforehand or not; up to the limit it is fetched.
    """
    size = [_LIMIT]

    async def handler(request: web.Request) -> web.StreamResponse:
        if not chunked:
            return web.Response(body=b"x" * size[0])
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"x" * size[0])
        return response

    async def does(objects: S3) -> None:
        await objects.download(_OF, tmp_path / "back", limit=_LIMIT)
        assert _LIMIT == (tmp_path / "back").stat().st_size
        size[0] += 1
        with pytest.raises(ManifestError, match="is larger than 99 bytes"):
            await objects.download(_OF, tmp_path / "back", limit=_LIMIT)
        assert (tmp_path / "back").stat().st_size <= _LIMIT

    _with(handler, does)


@pytest.mark.parametrize(
    ("status", "error", "sentence", "asked"),
    [
        (404, ManifestError, "is not in the bucket any more", 1),
        (403, RegistryError, r"S3 refused GET of manifests/line 7/a\+b%20ü.csv \(403\)", 1),
        (301, RegistryError, r"\(301\)", 1),
        (503, UnfinishedError, "S3 did not answer in full", 4),
    ],
)
def test_a_refusal_is_said_and_a_failure_tried_again(
    tmp_path: Path, status: int, error: type[FirstlightError], sentence: str, asked: int
) -> None:
    """
    Nowhere is a redirect followed: it would be sent a signature.
    """
    paths: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        paths.append(request.raw_path)
        return web.Response(status=status, headers={"location": "/elsewhere"})

    async def does(objects: S3) -> None:
        with pytest.raises(error, match=sentence):
            await objects.download(_OF, tmp_path / "back", limit=_LIMIT)

    _with(handler, does)

    assert ["/uploads/manifests/line%207/a%2Bb%2520%C3%BC.csv"] * asked == paths


def test_a_report_arrives_whole_though_the_first_try_failed(tmp_path: Path) -> None:
    """
    With its length, and as CSV.
    """
    report = tmp_path / "report.csv"
    report.write_bytes(b"row\n" * 100_000)
    bodies: list[bytes] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        assert ("400000", "text/csv; charset=utf-8") == (
            request.headers["content-length"],
            request.headers["content-type"],
        )
        bodies.append(b"".join([piece async for piece in request.content.iter_any()]))
        return web.Response(status=500 if len(bodies) == 1 else 200)

    _with(handler, lambda objects: objects.upload(Object("uploads", "reports/reel.csv"), report))

    assert [report.read_bytes()] * 2 == bodies
