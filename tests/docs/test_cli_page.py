from tests.docs.cli_page import PAGE, render


def test_the_page_says_what_the_program_says() -> None:
    """
    Every `--help` is on the page as it is; `make docs` writes it anew.
    """
    assert render() == PAGE.read_text()
