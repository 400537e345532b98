"""The example of docs/edge_format.md is the test vector."""

import pathlib
import re
import zlib

_ROOT = pathlib.Path(__file__).parents[2]
_GOLDEN = pathlib.Path(__file__).parent / "golden"


def test_hex_of_the_page_is_that_of_the_files():
    page = (_ROOT / "docs" / "edge_format.md").read_text()
    example = page.partition("## Example")[2]
    blocks = [bytes.fromhex(text) for text in re.findall(r"```\n(.*?)```", example, re.DOTALL)]
    delta, *streams, sub = blocks
    assert delta == (_GOLDEN / "small.delta").read_bytes()
    assert streams == [zlib.decompress(delta[128:149]), zlib.decompress(delta[149:])]
    assert sub == (_GOLDEN / "small_sub.bin").read_bytes()
