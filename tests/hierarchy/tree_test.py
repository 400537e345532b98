import pytest

from ss_tf.hierarchy import groupings, tree, wordnet

BOAT, CANOE, OSCINE = "n02858304", "n02951358", "n01525720"


def test_counts_names_and_totals_are_printed(capsys):
    assert tree.main(["--grouping=superclassing"]) == 0
    lines = capsys.readouterr().out.splitlines()
    boat = lines.index("boat    n02858304     6")
    assert lines[boat + 1] == "    canoe, fireboat, gondola, lifeboat, speedboat, yawl"
    assert lines[-1] == "253 classes in 10 superclasses, 747 outside"
    assert max(len(line) for line in lines) <= 100


def test_counts_alone_are_one_line_for_each_superclass():
    lines = tree.render(groupings.by_name("geirhos_16"), show="counts")
    assert len(lines) == 16 + 4
    assert "bear                 n02131653     4" in lines


def test_tree_leaves_out_synsets_with_a_single_child():
    # A lifeboat is a sea boat and a speedboat a motorboat, each the only one among the classes.
    lines = tree.render(groupings.from_roots([BOAT]), show="tree")
    assert lines[2:-2] == [
        "boat  n02858304     6",
        "    small boat  n04244997  2",
        "        canoe",
        "        yawl",
        "    fireboat",
        "    gondola",
        "    lifeboat",
        "    speedboat",
    ]


def test_tree_shows_wnid_and_count_of_the_synsets_between():
    lines = tree.render(groupings.from_roots([OSCINE]), show="tree")
    assert lines[2:7] == [
        "oscine  n01525720    11",
        "    finch  n01529672  5",
        "        brambling",
        "        goldfinch",
        "        house finch",
    ]


@pytest.mark.parametrize("name", groupings.NAMES)
def test_tree_has_every_class_once_and_right_counts(name):
    grouping = groupings.by_name(name)
    wnid_of = {class_name: wnid for wnid, class_name in grouping.names.items()}
    open_nodes = []  # depth, count that is told, classes seen
    seen = []
    for line in [*tree.render(grouping, show="tree")[2:-2], "end  n  0"]:
        depth = (len(line) - len(line.lstrip())) // 4
        while open_nodes and open_nodes[-1][0] >= depth:
            _, told, counted = open_nodes.pop()
            assert told == counted
        if line.strip() in wnid_of and depth:
            seen.append(wnid_of[line.strip()])
            for node in open_nodes:
                node[2] += 1
        else:
            open_nodes.append([depth, int(line.split()[-1]), 0])
    assert sorted(seen) == sorted(grouping.names)


def test_a_root_that_is_a_class_is_its_own_tree():
    lines = tree.render(groupings.from_roots([CANOE]), show="tree")
    assert lines[2:-2] == ["canoe  n02951358     1", "    canoe"]


def test_definitions_come_from_wordnet(monkeypatch):
    monkeypatch.setattr(
        wordnet, "synset", lambda wnid: wordnet.Synset(wnid, "boat.n.01", "a small vessel")
    )
    lines = tree.render(groupings.from_roots([BOAT]), show="counts", with_definitions=True)
    assert lines[2] == "boat  n02858304     6  a small vessel"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grouping=living_8"], "invalid choice: 'living_8'"),
        (["--roots=n01503061,n01529672"], "'finch' (n01529672) is below root 'bird' (n01503061)"),
        (["--roots=n02958343, n04490091"], "share 'minivan'"),
        (["--grouping=big_12", "--rule=first_root"], "--rule goes with --roots"),
        (["--grouping=big_12", "--roots=n01503061"], "not allowed with argument"),
        (["--roots=bird,"], "--roots is 'bird,', expected a name at each comma's side."),
        (["--roots="], "--roots is '', expected a name"),
        ([], "one of the arguments --grouping --roots is required"),
        (["--show=counts", "--root"], "--root"),
    ],
)
def test_errors_are_one_line_and_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        tree.main(arguments)
    assert caught.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("python -m ss_tf.hierarchy.wordnet: error: ")
    assert message in errors
    assert errors.count("\n") == 1


def test_rule_decides_what_roots_get(capsys):
    roots = "--roots=n02958343,n04490091"
    assert tree.main([roots, "--rule=first_root", "--show=counts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == ["car    n02958343    10", "truck  n04490091     7"]
    assert lines[-1] == "17 classes in 2 superclasses, 983 outside"
