"""The ten scripts, their characters and the number of typefaces of each."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Script:
    """One superclass: a writing system.

    Attributes:
      name: lower-case name, also the superclass label.
      num_typefaces: number of subclasses, as in Table 1 of arXiv 2201.08098.
      characters: the characters that images show; a typeface must have them all.
    """

    name: str
    num_typefaces: int
    characters: str


def code_points(first: int, last: int, *, without: str = "") -> str:
    """Returns the characters from code point `first` to `last`, both included."""
    return "".join(chr(code) for code in range(first, last + 1) if chr(code) not in without)


# Small and voiced kana are left out: at 32 pixels they are the plain ones with specks.
_HIRAGANA = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
)
# Katakana that are also Han characters at a glance, or a hiragana of the same shape.
_KATAKANA_LOOKALIKES = "エオカタトニハヘリロ"
_HIRAGANA_LOOKALIKES = "へり"
_KANA_DISTANCE = ord("ア") - ord("あ")

# Very common characters that have one code point in Traditional, Simplified, Japanese
# and Korean use, so that fonts from all four regions hold them.
_HAN = (
    "五六七百千大小上下中天地日月山川水火木金石田目耳足心男女子父母兄弟王白赤高今年早夕明古"
    "分生先名本正出入右左外北南西東立休見行走言文字音夏冬春秋米竹草花犬牛羊鳥魚京市町村里公"
    "元光回方毛永主用由申寺州半友同合向有自色衣成安守宅多好寒牧物知者若苦英"
)

SCRIPTS = (
    # Alif, vav, yod and final nun are bars, which tell neither script nor typeface.
    Script("arabic", 8, code_points(0x0628, 0x063A) + code_points(0x0641, 0x064A)),
    # The consonants; nukta letters are compositions that many fonts lack.
    Script("devanagari", 10, code_points(0x0915, 0x0939, without="\u0929\u0931\u0933\u0934")),
    Script("digits", 7, "0123456789"),
    Script("georgian", 7, code_points(0x10D0, 0x10F0)),
    Script("han", 52, _HAN),
    Script("hebrew", 13, code_points(0x05D0, 0x05EA, without="\u05d5\u05d9\u05df")),
    Script("hiragana", 7, "".join(c for c in _HIRAGANA if c not in _HIRAGANA_LOOKALIKES)),
    Script(
        "katakana",
        6,
        "".join(
            chr(ord(c) + _KANA_DISTANCE)
            for c in _HIRAGANA
            if chr(ord(c) + _KANA_DISTANCE) not in _KATAKANA_LOOKALIKES
        ),
    ),
    # O, I and l are a circle and two bars: they look like digits and tell little.
    Script(
        "latin",
        116,
        code_points(ord("A"), ord("Z"), without="IO")
        + code_points(ord("a"), ord("z"), without="lo"),
    ),
    # KHO KHUAT and KHO KHON are obsolete and near copies of their neighbours.
    Script("thai", 27, code_points(0x0E01, 0x0E2E, without="\u0e03\u0e05")),
)


def script_by_name(name: str) -> Script:
    """Returns the script called `name`.

    Raises:
      ValueError: if there is no such script; the message lists those there are.
    """
    for script in SCRIPTS:
        if script.name == name:
            return script
    known = ", ".join(script.name for script in SCRIPTS)
    raise ValueError(f"script: got {name!r}, expected one of {known}")
