"""The rules of the house. Each takes the root of a tree and returns what is wrong there, in words."""

from collections.abc import Callable
from pathlib import Path

from tests.architecture.rules import budgets, form, imports, purity, words

Rule = Callable[[Path], list[str]]

RULES: tuple[Rule, ...] = (
    imports.services_know_no_other_service,
    imports.shared_knows_no_service,
    imports.products_know_no_tools,
    imports.contracts_stand_alone,
    imports.flow_knows_no_driver,
    imports.imports_can_be_read,
    purity.core_imports_what_is_pure,
    purity.handlers_import_what_the_fold_has,
    purity.the_fold_does_not_wait,
    purity.the_fold_has_no_clock,
    purity.the_fold_has_no_chance,
    purity.the_fold_does_no_io,
    purity.the_environment_is_read_in_settings,
    words.topics_are_named_in_their_table,
    words.metrics_are_named_in_telemetry,
    words.tests_use_no_mocks,
    words.products_do_not_print,
    form.a_service_has_the_files_of_the_design,
    form.the_entry_is_three_lines,
    form.handlers_end_with_their_table,
    form.handlers_catch_nothing,
    form.what_is_public_is_documented,
    budgets.functions_are_short,
    budgets.handlers_are_short,
    budgets.modules_are_short,
    budgets.parameters_are_few,
    budgets.raised_budgets_are_of_something,
)
