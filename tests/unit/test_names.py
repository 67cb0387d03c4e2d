"""
Names that bite: `azure` is a namespace every SDK wheel shares, `constructs` a library CDK needs.
"""

import ast
import importlib.util
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_sdk_namespace_stays_the_sdks() -> None:
    """
    One `__init__.py` under azure/ hides every azure.* SDK.
    """
    assert [] == list((ROOT / "azure").rglob("__init__.py"))


def test_azure_is_no_place_for_tests_nor_for_folders_named_like_an_sdk() -> None:
    """
    A folder called functions or iot would be one `__init__.py` away from hiding Microsoft's.
    """
    sdks = {"ai", "common", "core", "data", "functions", "identity", "iot", "mgmt", "profiles", "storage"}
    folders = {path.name for path in (ROOT / "azure").rglob("*") if path.is_dir()}

    assert set() == sdks & folders
    assert [] == list((ROOT / "azure").rglob("test_*.py"))


def test_cdk_has_no_folder_named_like_a_library() -> None:
    """
    A folder called constructs would be imported instead of the library.
    """
    found = importlib.util.find_spec("constructs")

    assert not (ROOT / "cdk" / "constructs").exists()
    assert found is not None
    assert str(distribution("constructs").locate_file("constructs/__init__.py")) == found.origin


def test_the_library_imports_nothing_from_the_shells() -> None:
    """
    The arrow points from the shells to the library, never back.
    """
    shells = {"cdk", "lambdas", "tests", "benchmarks"}  # `azure` is also the SDK's
    for file in (ROOT / "src").rglob("*.py"):
        text = file.read_text()
        if not any(shell in text for shell in shells):
            continue
        for node in ast.walk(ast.parse(text)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not shells & {n.split(".")[0] for n in names}, f"{file} imports a shell"
