"""
Which files a deployment uploads, and where to.
"""

import json
from pathlib import Path

from tests.synth.conftest import Synthesized


def test_a_stack_uploads_to_its_own_region_only(committed: Synthesized) -> None:
    """
    A region is deployed without another one being bootstrapped.
    """
    folder = Path(committed.app.outdir)
    regions = {
        file.name.removesuffix(".assets.json"): {
            destination["region"]
            for asset in json.loads(file.read_text())["files"].values()
            for destination in asset["destinations"].values()
        }
        for file in folder.glob("*.assets.json")
    }

    assert {name: {name.partition("-")[2]} for name in regions} == regions
    assert 4 == len(regions)
