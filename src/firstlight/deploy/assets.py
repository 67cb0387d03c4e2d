"""
Puts the files that stacks expect into the bootstrap bucket.
"""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from firstlight import boto
from firstlight.deploy import tree
from firstlight.deploy.assembly import Asset
from firstlight.errors import DeploymentError

# The oldest date a zip can hold: two builds of the same files are the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def publish(assets: Iterable[Asset], s3: Any, *, code: Path | None = None) -> None:
    """
    Upload each asset, once, under the key its stack expects.

    *code*, a folder or a zip, takes the place of what Lambda functions run: the same code, built for
    the machine that runs it here.

    Raises:
        DeploymentError: a file is missing, or S3 would not take it.
    """
    for asset in dict.fromkeys(assets):
        source = code if code is not None and asset.runs else asset.source
        with boto.refusals(f"Uploading {asset.key} to {asset.bucket}", error=DeploymentError):
            s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=_content(source, zipped=asset.zipped))


def _content(source: Path, *, zipped: bool) -> bytes:
    try:
        return _zip(source) if zipped and source.is_dir() else source.read_bytes()
    except OSError as e:
        raise DeploymentError(f"{source} cannot be read: {e.strerror}.", hint="Synthesize the stacks again.") from e


def _zip(folder: Path) -> bytes:
    content = io.BytesIO()
    # Not compressed: it is unpacked on the same machine, and compressing takes longer than both ways.
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, file in tree.files_of(folder).items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = file.stat().st_mode << 16
            archive.writestr(entry, file.read_bytes())
    return content.getvalue()
