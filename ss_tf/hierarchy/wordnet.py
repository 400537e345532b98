"""WordNet 3.0 by nltk: roots given as a word or `bird.n.01`, definitions, hypernyms.

    python -m ss_tf.hierarchy.wordnet --grouping=superclassing
    python -m ss_tf.hierarchy.wordnet --roots=bird.n.01,n02084071 --show=tree

prints superclasses with their classes before a data set is built of them (`tree`). ImageNet's own
edges are shipped, so wnids at or above its classes do without WordNet. For all else nltk reads
what `nltk.download("wordnet")` fetched or, where that is missing, the folder of Debian's package
`wordnet-base`. Nothing is downloaded here.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pathlib
import re
import signal
import sys
import textwrap
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, NamedTuple, TextIO

from ss_tf.hierarchy import imagenet_classes

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import Synset as NltkSynset
    from nltk.corpus.reader.wordnet import WordNetCorpusReader
    from nltk.data import PathPointer

_DEBIAN_FOLDER = pathlib.Path("/usr/share/wordnet")
# ImageNet's wnids are offsets into the noun file of this version.
_VERSION = "3.0"
_HOW_TO_INSTALL = (
    f"install WordNet {_VERSION} by `python -m nltk.downloader wordnet` or, on Debian, "
    "`apt-get install wordnet-base`"
)
# What nltk's reader raises on files that are missing or cut, besides its own.
_DAMAGE_ERRORS = (OSError, LookupError, ValueError, StopIteration, zipfile.BadZipFile, zlib.error)
_NUM_LEXICOGRAPHER_FILES = 45
_LONGEST_DEFINITION = 60


class Synset(NamedTuple):
    """A noun synset: its wnid, its name such as `bird.n.01`, and its definition."""

    wnid: str
    name: str
    definition: str


def resolve(root: str) -> str:
    """Returns the wnid that a wnid, the name of a synset (`bird.n.01`) or a word means.

    Of the meanings of a word those count that have ImageNet classes at or below them; there must
    be exactly one.

    Raises:
      ValueError: if there is no such synset, it has no class, or a word has several meanings (the
        message lists them), or if it takes WordNet to know and that is not installed.
    """
    below = imagenet_classes.classes_below(last_parent_only=False)
    if root in below:
        return root
    meanings = _meanings(root)
    with_classes = [meaning for meaning in meanings if meaning.wnid in below]
    if len(with_classes) == 1:
        return with_classes[0].wnid
    listed = "; ".join(_describe(meaning) for meaning in with_classes or meanings)
    if with_classes:
        raise ValueError(f"Root {root!r} has several meanings, expected one of: {listed}.")
    above = [hypernym for hypernym in hypernyms(meanings[0].wnid) if hypernym.wnid in below]
    hint = f" Nearest above it with classes: {_describe(above[0])}." if above else ""
    raise ValueError(f"Root {root!r} has no class of ILSVRC2012 at or below it: {listed}.{hint}")


def synset(wnid: str) -> Synset:
    """Returns the synset of a wnid.

    Raises:
      ValueError: if WordNet has no noun synset at that offset, or is not installed.
    """
    return _synset(_at(wnid))


def hypernyms(wnid: str) -> tuple[Synset, ...]:
    """Returns all synsets above one, nearest first.

    Raises:
      ValueError: if WordNet has no noun synset at that offset, or is not installed.
    """
    found = [_at(wnid)]
    # The loop sees what it appends: a breadth-first walk.
    for below in found:
        above = below.hypernyms() + below.instance_hypernyms()
        found += [hypernym for hypernym in sorted(above) if hypernym not in found]
    return tuple(_synset(hypernym) for hypernym in found[1:])


def _meanings(root: str) -> list[Synset]:
    """Returns the synsets that a root may mean, at least one."""
    if not any(_find_folders()):
        same = [wnid for wnid, name in imagenet_classes.synset_names().items() if name == root]
        hint = f"; that is the name of {' and '.join(same)}" if same else ""
        raise ValueError(
            f"Root {root!r} is no wnid at or above a class of ILSVRC2012{hint}. To look it up, "
            f"{_HOW_TO_INSTALL}."
        )
    if re.fullmatch(r"n\d{8}", root):
        return [synset(root)]
    found = _named(root) if re.fullmatch(r"\S+\.n\.0*[1-9]\d*", root) else _of_word(root)
    if not found:
        raise ValueError(f"Root {root!r} is unknown: WordNet {_VERSION} has no such noun.")
    return [_synset(meaning) for meaning in found]


def _named(name: str) -> list[NltkSynset]:
    """Returns the synset of a name such as `bird.n.01`, or none."""
    from nltk.corpus.reader.wordnet import WordNetError

    try:
        return [_reader().synset(name)]
    except WordNetError:
        return []


def _of_word(word: str) -> list[NltkSynset]:
    return _reader().synsets(word.replace(" ", "_"), pos="n")


def _at(wnid: str) -> NltkSynset:
    if not re.fullmatch(r"n\d{8}", wnid):
        raise ValueError(f"Got the wnid {wnid!r}, expected 'n' and eight digits.")
    with warnings.catch_warnings():
        # The error below says the same.
        warnings.filterwarnings("ignore", message="No WordNet synset found")
        found = _reader().synset_from_pos_and_offset("n", int(wnid[1:]))
    if found is None:
        raise ValueError(f"Unknown wnid {wnid!r}: WordNet {_VERSION} has no noun at that offset.")
    return found


def _synset(found: NltkSynset) -> Synset:
    return Synset(f"n{found.offset():08d}", found.name(), found.definition())


def _describe(meaning: Synset) -> str:
    """Returns one line with the number of classes and the definition."""
    below = imagenet_classes.classes_below(last_parent_only=False)
    count = len(below.get(meaning.wnid, ()))
    classes = "1 class" if count == 1 else f"{count} classes"
    definition = textwrap.shorten(meaning.definition, _LONGEST_DEFINITION, placeholder="...")
    return f"{meaning.name} ({meaning.wnid}, {classes}: {definition})"


def _find_folders() -> tuple[list[PathPointer], list[str]]:
    """Returns where WordNet is, nltk's own first, and what is wrong with archives of it."""
    # nltk takes seconds to import, and most calls end before they need it.
    import nltk.data

    folders, faults = [], []
    for resource in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        with contextlib.suppress(LookupError):
            try:
                folders.append(nltk.data.find(resource))
            except zipfile.BadZipFile as error:
                faults = [f"nltk's corpora/wordnet.zip is damaged: {error}"]
    if not (_DEBIAN_FOLDER / "data.noun").is_file():
        return folders, faults
    if str(_DEBIAN_FOLDER) not in nltk.data.path:
        # nltk opens no file outside the folders listed there.
        nltk.data.path.append(str(_DEBIAN_FOLDER))
    return [*folders, nltk.data.FileSystemPathPointer(str(_DEBIAN_FOLDER))], faults


@functools.cache
def _reader() -> WordNetCorpusReader:
    """Returns nltk's reader. It indexes all of WordNet first, which takes seconds."""
    from nltk.corpus.reader.wordnet import WordNetCorpusReader, WordNetError

    class Reader(WordNetCorpusReader):
        """Does without what Debian's package leaves out, and nothing here shows."""

        def open(self, file: str) -> TextIO:
            """Opens a file of WordNet; numbers stand for the names of lexicographer files."""
            if file == "lexnames":
                lines = (f"{i:02d} {i} 0\n" for i in range(_NUM_LEXICOGRAPHER_FILES))
                return io.StringIO("".join(lines))
            return super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """Leaves out the map from other versions, which other languages are read by."""

    folders, faults = _find_folders()
    for folder in folders:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The multilingual functions are not av")
                reader = Reader(folder, None)
            version = reader.get_version()
        except (*_DAMAGE_ERRORS, WordNetError) as error:
            # Some have no message, others many lines.
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            faults.append(f"WordNet in {folder} is damaged: {reason}")
            continue
        if version == _VERSION:
            return reader
        faults.append(f"{folder} is WordNet {version}, expected {_VERSION}")
    found = "; ".join(faults) or "WordNet is not installed"
    raise ValueError(f"{found}; {_HOW_TO_INSTALL}.")


if __name__ == "__main__":
    from ss_tf.hierarchy import tree

    # `| head` ends this program quietly, like any other.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(tree.main(sys.argv[1:]))
