from ss_tf.evaluation import routing_section


def test_hard_and_soft_stand_beside_each_other_on_both_splits(measured):
    told, table, difference = routing_section.markdown(measured)
    assert told == (
        "## Routing\n\nFitted on 200 minival images, on no others: a second sub network is run "
        "where the first superclass has a probability below 0.750."
    )
    assert table.splitlines()[2:] == [
        "| minival | hard | 74.00 | 0.900 | 0.00 |",
        "| minival | soft | 77.00 | 0.980 | 0.00 |",
        # Seven images of 8 open a sub network; two open a second one.
        "| validation | hard | 75.00 | 0.875 | 0.00 |",
        "| validation | soft | 87.50 | 1.125 | 0.00 |",
    ]
    # 1 against 0 of 8: sqrt(1 - 1 / 8) / 8.
    assert difference == (
        "Soft minus hard on the validation images: +12.50 points, standard error 11.69 (paired), "
        "p = 1 (McNemar's exact test)."
    )


def test_of_a_flat_base_all_settings_are_told_in_one_line(measured):
    measured["stage1"] = "flat"
    measured["routing"]["policy"] |= {"base_weight": 0.3, "early_exit": 0.98765, "tau": 0.0}
    assert routing_section.fitted(measured) == (
        "Fitted on 200 minival images, on no others: a second sub network is never run; the base's "
        "own labels weigh 0.30 in the average with two stages (base_weight); images whose most "
        "probable label, by the base, has at least 0.988 run no sub network (early_exit)."
    )
    measured["routing"]["policy"]["early_exit"] = None
    assert routing_section.fitted(measured).endswith("(base_weight); no image exits early.")


def test_what_was_not_fitted_is_not_evaluated(measured):
    measured["routing"]["policy"] = "not evaluated"
    assert routing_section.markdown(measured) == [
        "## Routing\n\nSoft routing: not evaluated. It takes an int8 base, all its sub networks "
        "and 100 minival images at least."
    ]


def test_a_policy_without_its_sub_networks_tells_no_difference(measured):
    names = ("points", "standard_error", "p_value")
    measured["routing"] |= {f"soft_minus_hard_{name}": "not evaluated" for name in names}
    difference = routing_section.markdown(measured)[-1]
    assert difference == "Soft minus hard on the validation images: not evaluated."
