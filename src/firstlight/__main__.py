"""
The console script: runs the command line, or says which extra it lacks.
"""

import sys

# Which extra of the wheel brings which library (pyproject.toml).
_EXTRAS = {
    "aiohttp": "aws",
    "yarl": "aws",
    "azure": "operate",
    "boto3": "operate",
    "botocore": "operate",
    "click": "operate",
    "py7zr": "operate",
    "rich": "operate",
    "awscrt": "verify",
    "awsiot": "verify",
    "OpenSSL": "laptop",
    "hypercorn": "laptop",
    "ministack": "laptop",
}


def main() -> None:
    """
    Run `firstlight`; a library that is not installed ends in a sentence, exit status 2.
    """
    try:
        # Here, so that a missing click is told as well.
        from firstlight import cli  # noqa: PLC0415 -- see above

        cli.main()
    except ModuleNotFoundError as e:
        library = (e.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        sys.stderr.write(
            f"firstlight: this command needs {library}. Install it: pip install 'firstlight[{_EXTRAS[library]}]'\n"
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
