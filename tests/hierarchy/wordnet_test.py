import itertools
import re
import shutil
import subprocess
import sys

import nltk.data
import pytest

from ss_tf.hierarchy import imagenet_classes, wordnet

# A WordNet of seven nouns at their true offsets: wnid, lemmas, wnids of hypernyms, definition.
NOUNS = [
    ("n01471682", ["vertebrate", "craniate"], [], "animals having a bony skeleton"),
    ("n01503061", ["bird"], ["n01471682"], "warm-blooded egg-laying vertebrates"),
    ("n07644706", ["bird", "fowl"], [], "the flesh of a bird used as food"),
    ("n02012849", ["crane"], ["n02000954"], "large long-necked wading bird"),
    ("n02000954", ["wading_bird", "wader"], ["n01503061"], "long-legged birds that wade"),
    ("n03126707", ["crane"], [], "lifts heavy loads " + "again and " * 9 + "again"),
    ("n01539573", ["sparrow"], ["n01503061"], "small dull-colored singing birds"),
]


def _write_dictionary(folder, *, version="3.0"):
    """Writes the files that Debian's package has, as far as nltk reads them."""
    folder.mkdir(parents=True)
    for pos in ("noun", "verb", "adj", "adv"):
        for name in (f"index.{pos}", f"{pos}.exc"):
            (folder / name).write_text("")
        (folder / f"data.{pos}").write_text(f"  1 WordNet {version} Copyright\n")
    with open(folder / "data.noun", "r+b") as file:
        for wnid, lemmas, above, definition in NOUNS:
            words = " ".join(f"{lemma} 0" for lemma in lemmas)
            pointers = "".join(f" @ {hypernym[1:]} n 0000" for hypernym in above)
            head = f"{wnid[1:]} 05 n {len(lemmas):02x} {words} {len(above):03d}{pointers}"
            # The gaps take no room on disk.
            file.seek(int(wnid[1:]))
            file.write(f"{head} | {definition}\n".encode())
    with open(folder / "index.noun", "w") as file:
        for lemma in sorted({lemma for noun in NOUNS for lemma in noun[1]}):
            offsets = [wnid[1:] for wnid, lemmas, *_ in NOUNS if lemma in lemmas]
            file.write(f"{lemma} n {len(offsets)} 0 {len(offsets)} 0 {' '.join(offsets)}\n")
    (folder / "noun.exc").write_text("craniata craniate\n")


@pytest.fixture(scope="module")
def debian_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("debian") / "wordnet"
    _write_dictionary(folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    """Hides the WordNet that this machine may have."""
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr(wordnet, "_DEBIAN_FOLDER", tmp_path / "nowhere")
    wordnet._reader.cache_clear()
    yield
    wordnet._reader.cache_clear()


@pytest.fixture
def debian(monkeypatch, debian_folder):
    monkeypatch.setattr(wordnet, "_DEBIAN_FOLDER", debian_folder)


def test_wnids_above_imagenets_classes_do_without_wordnet():
    for wnid in ("n01503061", "n02012849", "n00001740"):
        assert wordnet.resolve(wnid) == wnid


@pytest.mark.parametrize("root", ["bird", "bird.n.01", "n99999999", ""])
def test_without_wordnet_the_message_says_what_to_install(root):
    with pytest.raises(
        ValueError,
        match=rf"Root '{root}' .*python -m nltk.downloader wordnet.*apt-get install wordnet-base",
    ):
        wordnet.resolve(root)
    with pytest.raises(ValueError, match="WordNet is not installed; install WordNet"):
        wordnet.synset("n01503061")


def test_without_wordnet_the_message_gives_the_wnids_of_that_name():
    with pytest.raises(ValueError, match="; that is the name of n01503061"):
        wordnet.resolve("bird")
    with pytest.raises(ValueError, match="; that is the name of n02012849 and n03126707"):
        wordnet.resolve("crane")


@pytest.mark.parametrize(
    ("root", "wnid"),
    [
        ("bird.n.01", "n01503061"),
        # A name by another lemma of the synset.
        ("craniate.n.01", "n01471682"),
        ("crane.n.02", "n03126707"),
        # The meat has no classes below it, so the word is clear.
        ("bird", "n01503061"),
        ("birds", "n01503061"),
        ("craniata", "n01471682"),
        ("wading bird", "n02000954"),
        ("Wading_bird", "n02000954"),
    ],
)
def test_names_and_words_are_resolved(debian, root, wnid):
    assert wordnet.resolve(root) == wnid


def test_a_word_of_several_meanings_lists_them_with_counts_and_definitions(debian):
    expected = (
        "Root 'crane' has several meanings, expected one of: "
        "crane.n.01 (n02012849, 1 class: large long-necked wading bird); "
        "crane.n.02 (n03126707, 1 class: "
        "lifts heavy loads again and again and again and again and...)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        wordnet.resolve("crane")


@pytest.mark.parametrize("root", ["sparrow", "sparrow.n.01", "n01539573"])
def test_a_root_without_classes_is_refused_with_the_nearest_that_has_some(debian, root):
    with pytest.raises(
        ValueError,
        match=rf"Root '{root}' has no class of ILSVRC2012 at or below it: sparrow\.n\.01 "
        r"\(n01539573, 0 classes: .*\)\. Nearest above it with classes: bird\.n\.01 "
        r"\(n01503061, 59 classes: ",
    ):
        wordnet.resolve(root)


def test_a_root_without_anything_above_gets_no_hint(debian):
    with pytest.raises(ValueError, match=r"bird\.n\.02 \(n07644706, 0 classes: the flesh.*\)\.$"):
        wordnet.resolve("n07644706")


@pytest.mark.parametrize(
    "root", ["brd", "brd.n.01", "bird.n.03", "bird.n.00", "bird.v.01", "bird.", ".n.01", ""]
)
def test_an_unknown_name_or_word_is_refused(debian, root):
    with pytest.raises(ValueError, match=rf"Root '{root}' is unknown: WordNet 3.0 has no such no"):
        wordnet.resolve(root)


def test_an_unknown_wnid_is_refused(debian):
    for wnid in ("n99999999", "n01503062", "n00000001"):
        with pytest.raises(ValueError, match=f"Unknown wnid '{wnid}': WordNet 3.0 has no noun at"):
            wordnet.resolve(wnid)
    with pytest.raises(ValueError, match=r"Got the wnid '1503061', expected 'n' and eight digits"):
        wordnet.synset("1503061")


def test_synsets_have_a_name_and_a_definition(debian):
    bird = wordnet.synset("n01503061")
    assert bird == ("n01503061", "bird.n.01", "warm-blooded egg-laying vertebrates")


def test_hypernyms_are_all_synsets_above_nearest_first(debian):
    names = [synset.name for synset in wordnet.hypernyms("n02012849")]
    assert names == ["wading_bird.n.01", "bird.n.01", "vertebrate.n.01"]
    assert wordnet.hypernyms("n01471682") == ()


@pytest.mark.parametrize("is_zip", [False, True])
def test_what_nltk_downloaded_comes_first(debian, debian_folder, monkeypatch, tmp_path, is_zip):
    corpora = tmp_path / "nltk_data" / "corpora"
    if is_zip:
        corpora.mkdir(parents=True)
        small = tmp_path / "small" / "wordnet"
        shutil.copytree(debian_folder, small)
        # The far nouns would only take time to compress.
        with open(small / "data.noun", "r+b") as file:
            file.truncate(1_600_000)
        shutil.make_archive(str(corpora / "wordnet"), "zip", small.parent, "wordnet")
    else:
        shutil.copytree(debian_folder, corpora / "wordnet")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    assert str(corpora) in str(wordnet._find_folders()[0][0])
    assert wordnet.synset("n01503061").name == "bird.n.01"


@pytest.fixture(params=["folder without data.adj", "cut index", "no zip file", "other version"])
def broken_nltk(request, debian_folder, monkeypatch, tmp_path):
    """Has nltk find a WordNet that it cannot read; returns what is to be said of it."""
    corpora = tmp_path / "nltk_data" / "corpora"
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    if request.param == "no zip file":
        corpora.mkdir(parents=True)
        (corpora / "wordnet.zip").write_bytes(b"PK half of it")
        return r"nltk's corpora/wordnet\.zip is damaged: File is not a zip file"
    folder = corpora / "wordnet"
    if request.param == "other version":
        _write_dictionary(folder, version="3.1")
        return rf"{folder} is WordNet 3\.1, expected 3\.0"
    shutil.copytree(debian_folder, folder)
    if request.param == "cut index":
        (folder / "index.noun").write_text("bird n 2 0 2 0 01503061")
    else:
        (folder / "data.adj").unlink()
    return rf"WordNet in {folder} is damaged: .+"


def test_what_is_broken_gives_way_to_what_works(broken_nltk, debian):
    assert wordnet.resolve("bird") == "n01503061"


def test_what_is_broken_is_named_if_nothing_works(broken_nltk):
    with pytest.raises(ValueError, match=f"^{broken_nltk}; install WordNet 3.0 by [^\n]*$"):
        wordnet.resolve("bird")


def test_another_version_of_wordnet_is_refused(monkeypatch, tmp_path):
    _write_dictionary(tmp_path / "newer", version="3.1")
    monkeypatch.setattr(wordnet, "_DEBIAN_FOLDER", tmp_path / "newer")
    with pytest.raises(ValueError, match=r"newer is WordNet 3\.1, expected 3\.0"):
        wordnet.synset("n01503061")


def test_the_command_line_ends_with_one_line_and_code_2():
    command = [sys.executable, "-m", "ss_tf.hierarchy.wordnet", "--roots=n01503061,n01503061"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "python -m ss_tf.hierarchy.wordnet: error: "
        "Roots 'n01503061' and 'n01503061' are both n01503061, expected it once.\n"
    )


def test_shipped_names_and_edges_are_those_of_wordnet(monkeypatch):
    monkeypatch.undo()
    if not wordnet._find_folders()[0]:
        pytest.skip("Needs WordNet 3.0, of nltk or Debian.")
    edges = set()
    for wnid, name in imagenet_classes.synset_names().items():
        found = wordnet._at(wnid)
        assert name == found.lemma_names()[0].replace("_", " ")
        above = itertools.chain(found.hypernyms(), found.instance_hypernyms())
        edges |= {(f"n{hypernym.offset():08d}", wnid) for hypernym in above}
    assert edges == set(imagenet_classes.edges())
    assert wordnet.resolve("bird.n.01") == wordnet.resolve("bird") == "n01503061"
