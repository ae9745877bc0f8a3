"""Each situation that `docs/explanation/when-something-is-wrong.md` tells of is held by a test."""

from pathlib import Path

from tests.docs.pages import DOCS, ROOT, text

PAGE = DOCS / "explanation" / "when-something-is-wrong.md"

# How a row begins, and the test that fails if it is not true.
HELD = {
    "the file of `--db` or of dlt's configuration is no DuckDB file": (
        "test_what_is_no_duckdb_file_is_refused_and_nothing_is_downloaded"
    ),
    "the file is empty, or there is none": "test_an_empty_file_has_no_dataset_yet",
    "the file, or its folder, may not be read or written": (
        "test_every_command_in_a_folder_that_cannot_be_written"
    ),
    "the file was written by DuckDB 2": (
        "test_a_file_of_duckdb_2_gets_one_sentence_that_says_how_to_convert_it"
    ),
    "another process has the file open": "test_during_a_sync_readers_name_the_process_that_holds_the_file",
    "the filesystem has no locks": "test_a_filesystem_without_locks_is_told_from_a_file_that_is_in_use",
    "dlt's working folders cannot be made": "test_dlts_working_folder_may_be_another_users",
    "the disk is full": "test_the_next_sync_repairs_one_that_filled_the_disk",
    "PostgreSQL does not run": "test_a_refused_connection_says_what_to_do",
    "there is no such host, database or role": "test_a_refused_connection_says_what_to_do",
    "the address of PostgreSQL cannot be read": "test_a_refused_connection_says_what_to_do",
    "the address has no password": "test_an_address_may_leave_out_what_libpq_knows",
    "the database has another encoding": "test_names_arrive_whole_in_a_database_of_another_encoding",
    "the role may not create a schema": "test_a_role_that_lacks_a_right_gets_the_statement_that_grants_it",
    "the role does not own a table when": "test_a_role_that_owns_no_table_loads_all_but_new_fields",
    "the role does not own a table to which": "test_a_role_that_owns_no_table_is_told_of_new_columns",
    "a lake's catalogue is in a DuckDB file": "test_a_catalogue_in_a_duckdb_file_is_refused",
    "an extension of DuckDB that a lake needs": "test_a_missing_extension_is_told_and_not_downloaded",
    "a bucket of Delta tables cannot be reached": "test_an_unreachable_storage_is_one_sentence",
    "another sync holds the lock on a bucket": "test_a_held_lock_is_waited_for",
    "a killed sync left its lock in a bucket": "test_a_lock_that_a_killed_sync_left_is_taken_over",
    "the storage ignores the conditions": "test_a_storage_that_ignores_conditions_is_refused",
    "`--dataset SecOps-2026`": "test_a_dataset_is_told_by_its_name_in_the_database",
    "`SSL_CERT_FILE` or `SSL_CERT_DIR`": "test_a_way_to_cloudflare_that_cannot_be_used_is_named",
    "a company's certificate is in the system's store": "test_the_certificates_of_the_system_are_trusted",
    "a certificate is not trusted": "test_a_certificate_that_is_not_trusted_is_told_at_once",
    "`HTTPS_PROXY` or `ALL_PROXY` is no address": "test_a_way_to_cloudflare_that_cannot_be_used_is_named",
    "`ALL_PROXY=socks5": "test_a_socks_proxy_is_asked_for_cloudflare",
    "the proxy wants a password": "test_a_proxy_that_refuses_is_named_at_once",
    "`NO_PROXY` lists": "test_any_list_of_exceptions_from_the_proxy_will_do",
    "Cloudflare refuses a token by the address": "test_a_permanent_failure_is_raised_at_once",
    "the token has the wrong form": "test_a_permanent_failure_is_raised_at_once",
    "the token may not list accounts": "test_credentials_that_may_not_list_accounts_are_told_to_name_them",
    "Cloudflare sends an empty value": "test_an_empty_value_of_another_type_is_none",
    "a field of a client has another type": "test_a_rejected_field_is_reported_everywhere",
    "1,900 accounts are forbidden": "test_many_accounts_with_one_problem_are_told_once",
    "the encoding lacks a character": "test_every_command_writes_in_any_encoding",
    "`COLUMNS` is 0": "test_every_command_prints_at_any_width",
    "standard output, error or input is closed": (
        "test_every_command_ends_with_its_exit_code_whatever_its_streams_are"
    ),
    "standard output is full": "test_every_command_ends_with_its_exit_code_whatever_its_streams_are",
    "`… \\| head`": "test_a_reader_that_has_seen_enough_changes_no_exit_code",
    "a value has 200,000 characters": "test_a_long_value_is_cut_in_tables_alone",
    "SIGTERM, SIGHUP, Ctrl-C": "test_a_signal_ends_a_sync_with_a_sentence_and_its_summary",
    "no more threads or processes may be started": "test_few_processes_and_threads_are_enough_or_told",
    "there is no home": "test_every_command_runs_without_a_home",
    "the current folder is gone": "test_every_command_in_a_folder_that_is_gone",
    "a file of settings is another user's": "test_another_users_settings_are_named",
    "`waivers.toml` begins with a byte order mark": "test_files_that_editors_and_people_write",
    "a file of dlt's configuration does": "test_files_that_editors_and_people_write",
    "a file of dlt's configuration cannot be read": "test_files_that_editors_and_people_write",
    "`account_ids = [1, 2]`": "test_files_that_editors_and_people_write",
    "`CLOUDFLARE_OAUTH_DB` and its siblings": "test_variables_name_the_dataset_in_every_command",
}


def situations(page: Path) -> list[str]:
    """The rows of the page's tables, in their order."""
    lines = [line.removeprefix("| ") for line in text(page).splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.startswith("when ")]


def test_every_situation_has_a_test_and_every_test_its_situation() -> None:
    """In the order of the page; there are forty and more."""
    rows = situations(PAGE)

    assert len(rows) == len(HELD) >= 40
    for row, beginning in zip(rows, HELD, strict=True):
        assert row.startswith(beginning)


def test_the_test_of_each_situation_exists() -> None:
    """A renamed one would be missing here."""
    found = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))

    for name in HELD.values():
        assert found.count(f"\ndef {name}(") == 1, name
