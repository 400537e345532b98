"""Licences of font files, as SPDX expressions, from the copyright files of Debian packages."""

from __future__ import annotations

import pathlib
import re

_DOCUMENTATION = pathlib.Path("/usr/share/doc")

# A field of the machine-readable form: its lines after the first are indented.
_FIELD = re.compile(r"^(Files|License):[ \t]*((?:.*\n?)(?:[ \t]+.*\n?)*)", re.MULTILINE)
# Formats of fonts and of their sources: a paragraph on One.sfd speaks of One.ttf.
_FONT_SUFFIX = re.compile(r"\.(ttf|otf|ttc|sfd|ufo|glyphs|bdf|pcf\.gz)$")

# Names that copyright files use -> SPDX.
_SPDX = {
    "AGPL-3 with Font exception": "AGPL-3.0-only WITH PS-or-PDF-font-exception-20170817",
    "Apache-2": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "Apache-2.0 and M+FONTS": "Apache-2.0 AND mplus",
    "Apache-2.0 or GPL-3+ with Font exception": (
        "Apache-2.0 OR GPL-3.0-or-later WITH Font-exception-2.0"
    ),
    "BAEKMUK-MIT-LIKE": "Baekmuk",
    "BSD-3-Clause": "BSD-3-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "CC-BY-3.0": "CC-BY-3.0",
    "CC-BY-SA-3": "CC-BY-SA-3.0",
    "CC-BY-SA-3.0 or OFL-1.1": "CC-BY-SA-3.0 OR OFL-1.1",
    "GPL-2": "GPL-2.0-only",
    "GPL-2 with Font embedding exception and M+ FONTS License": (
        "GPL-2.0-only WITH Font-exception-2.0 AND mplus"
    ),
    "GPL-2+": "GPL-2.0-or-later",
    "GPL-2+ with Font exception": "GPL-2.0-or-later WITH Font-exception-2.0",
    "GPL-2+FE": "GPL-2.0-or-later WITH Font-exception-2.0",
    "GPL-2-and-LICENSE-BITSTREAM": "GPL-2.0-only AND Bitstream-Charter",
    "GPL-2-fonts-exception": "GPL-2.0-only WITH Font-exception-2.0",
    "GPL-2.0": "GPL-2.0-only",
    "GPL-2.0+": "GPL-2.0-or-later",
    "GPL-3+ with Special Font Exception": "GPL-3.0-or-later WITH Font-exception-2.0",
    "GPL-3+FontException": "GPL-3.0-or-later WITH Font-exception-2.0",
    "GPL-3+_with-font-exception": "GPL-3.0-or-later WITH Font-exception-2.0",
    "GPL-3.0+ with font exception": "GPL-3.0-or-later WITH Font-exception-2.0",
    "Hanazono-Font-License or Open-Font-License": "LicenseRef-Hanazono OR OFL-1.1",
    "IPA-1": "IPA",
    "LGPL-2": "LGPL-2.0-only",
    "LGPL-2+": "LGPL-2.0-or-later",
    "M+FONTS and BSD-3-clause": "mplus AND BSD-3-Clause",
    "M+Font and SazanamiFont and BSD-3-Clause": "mplus AND LicenseRef-Sazanami AND BSD-3-Clause",
    "MIT": "MIT",
    "OFL 1.1 and GPL-2 + Font Exception": "OFL-1.1 AND GPL-2.0-only WITH Font-exception-2.0",
    "OFL-1.0": "OFL-1.0",
    "OFL-1.1": "OFL-1.1",
    "OFL-1.1 and EPL-2.0 and EDL-1.0": "OFL-1.1 AND EPL-2.0 AND BSD-3-Clause",
    "OFL-1.1 or BSD-3-clause": "OFL-1.1 OR BSD-3-Clause",
    "OFL-1.1-RFN": "OFL-1.1",
    "OGDL-TW-1.0": "OGDL-Taiwan-1.0",
    "ParaType-Free-Font-License": "LicenseRef-ParaType-Free-Font",
    "SIL-1.1": "OFL-1.1",
    "SIL-OFL-1.1": "OFL-1.1",
    "SIL_Open_Font_License_1.1": "OFL-1.1",
    "arphic-public-license and, CC-BY-SA-3.0 or CC-BY-SA-4.0": (
        "Arphic-1999 AND (CC-BY-SA-3.0 OR CC-BY-SA-4.0)"
    ),
    "bitstream-vera": "Bitstream-Vera",
    "public-domain": "LicenseRef-Public-Domain",
}

# Packages whose copyright file names no licence for the font or misnames it. Each was read;
# the comment gives the words that decide.
_OVERRIDES = {
    # Prose: "License: Public Domain"; the GPL is that of the packaging.
    "fonts-ocr-a": "LicenseRef-Public-Domain",
    # Prose: the text of the ARPHIC PUBLIC LICENSE; the GPL is that of the packaging.
    "fonts-arphic-ukai": "Arphic-1999",
    "fonts-arphic-uming": "Arphic-1999",
    # Prose: "either version 2, or (at your option) any later version".
    "fonts-farsiweb": "GPL-2.0-or-later",
    # Prose: "GNU General Public License"; the fonts add "version 2 ... or any later version".
    "fonts-dustin": "GPL-2.0-or-later",
    # Prose: the GPL with the font exception; the fonts add "GPL v2 or later".
    "fonts-sjfonts": "GPL-2.0-or-later WITH Font-exception-2.0",
    # Prose: "the GNU General Public License v.2 with the exceptions set forth below", which
    # are the font exception and Red Hat's own on reinstallation and on trademarks.
    "fonts-liberation": "LicenseRef-Liberation",
    # Prose: "released under the GUST Font License".
    "fonts-lmodern": "LicenseRef-GUST-Font-License",
    # Prose: the text of version 1.1.
    "fonts-gfs-artemisia": "OFL-1.1",
    "fonts-gfs-didot": "OFL-1.1",
    "fonts-gfs-neohellenic": "OFL-1.1",
    # The file has the text of version 1.0, of 2006; the packaged fonts name version 1.1.
    "fonts-oldstandard": "OFL-1.1",
    # `License: Open Font License 1.0` stands in a paragraph of its own.
    "fonts-inconsolata": "OFL-1.0",
    # `OFL`, with the text of version 1.1.
    "fonts-hosny-amiri": "OFL-1.1",
    "fonts-hosny-thabit": "OFL-1.1",
    # `Apache-2`, which version 1 of the fonts had; those packaged name OFL 1.1.
    "fonts-jetbrains-mono": "OFL-1.1",
    # `GPL-3+` for the scripts; the font's only source, dkg-handwriting.sfd, is OFL-1.1.
    "fonts-dkg-handwriting": "OFL-1.1",
    # `GPL-3`, with the words "or (at your option) any later version".
    "fonts-beteckna": "GPL-3.0-or-later",
    # `LGPL-2`, with the words "or (at your option) any later version".
    "fonts-staypuft": "LGPL-2.0-or-later",
    # `... and OFL-1.1`, with the words "dual-licensed".
    "fonts-linuxlibertine": "GPL-2.0-or-later WITH Font-exception-2.0 OR OFL-1.1",
    # `other`, with the text of the Bitstream Vera licence.
    "fonts-arundina": "Bitstream-Vera",
    "fonts-tlwg-waree-ttf": "Bitstream-Vera",
    # `Original` and `UmeFont`, with the text of the M+ licence.
    "fonts-misaki": "mplus",
    "fonts-horai-umefont": "mplus",
    # `custom`: use, redistribution, sale in larger packages and derived fonts are allowed.
    "fonts-oradano-mincho-gsrr": "LicenseRef-Oradano",
    # The source folders etlthai, nectec and poonlap of one source package. Poonlap's `MIT` is
    # "License to copy and distribute for both commercial and non-commercial use".
    "xfonts-thai-etl": "LicenseRef-Public-Domain",
    "xfonts-thai-nectec": "GPL-2.0-or-later",
    "xfonts-thai-poonlap": "LicenseRef-Poonlap",
}


def licence(package: str, file_name: str) -> str:
    """Returns the licence of a font of an installed package as an SPDX expression.

    Raises:
      ValueError: if the copyright file names no licence for the font, or an unknown one.
    """
    if package in _OVERRIDES:
        return _OVERRIDES[package]
    text = (_DOCUMENTATION / package / "copyright").read_text(encoding="utf-8", errors="replace")
    declared = declared_licence(text, file_name)
    if declared not in _SPDX:
        raise ValueError(
            f"package {package}: got licence {declared!r} for {file_name}, expected a name in "
            "_SPDX or the package in _OVERRIDES"
        )
    return _SPDX[declared]


def declared_licence(text: str, file_name: str) -> str:
    """Finds the licence that a machine-readable copyright file declares for a font file.

    Of the `Files` paragraphs that speak of the font, the most specific wins, and the last
    of equally specific ones.

    Returns:
      The name that the file uses, empty if it declares none.
    """
    best, name = 1, ""
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(_FIELD.findall(paragraph))
        declared = fields.get("License", "").partition("\n")[0].strip()
        patterns = fields.get("Files", "").replace(",", " ").split() if declared else []
        specificity = max((_specificity(each, file_name) for each in patterns), default=0)
        if specificity >= best:
            best, name = specificity, declared
    return name


def _specificity(pattern: str, file_name: str) -> int:
    """Returns 3 if `pattern` names the font or its source, 2 its folder, 1 all, 0 if none.

    Patterns speak of the source package, whose folders are not installed. A folder's
    pattern counts only where the font is named after the folder: `latex/*` does not.
    """
    folder, _, last = pattern.rpartition("/")
    if pattern.startswith("debian/"):
        return 0
    glob, stem = _FONT_SUFFIX.sub("", last), _FONT_SUFFIX.sub("", file_name)
    expression = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    if not re.fullmatch(expression, stem):
        return 0
    if glob != "*":
        return 3
    if folder in ("", ".", "*"):
        return 1
    return 2 if stem.lower().startswith(folder.rpartition("/")[2].lower()) else 0
