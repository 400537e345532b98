from ss_tf.hierarchy import groupings, paper_table_1


def test_totals_are_those_of_ilsvrc2012_in_the_papers_grouping():
    subclasses, train, validation = (
        sum(column) for column in zip(*paper_table_1.ROWS.values(), strict=True)
    )
    assert (subclasses, train, validation) == (253, 322_979, 12_650)


def test_every_subclass_has_the_50_validation_images_of_ilsvrc2012():
    for row in paper_table_1.ROWS.values():
        assert row.validation == 50 * row.subclasses


def test_the_papers_grouping_has_these_superclasses_and_subclasses():
    superclass_map = groupings.by_name("superclassing").superclass_map()
    assert {
        name: len(superclass_map.labels_in(index))
        for index, name in enumerate(superclass_map.superclass_names)
    } == {name: row.subclasses for name, row in paper_table_1.ROWS.items()}
