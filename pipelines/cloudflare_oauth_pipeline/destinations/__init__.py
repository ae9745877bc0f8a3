"""Where a dataset lies: one adapter for each destination, and the one door to a dataset.

target              which dataset, on which destination
adapter             what the program has to know of a destination
registry            from a target to its adapter
duckdb, postgres, ducklake, delta_lake   the destinations that are tested here
pipeline            opens a target's dlt pipeline, for a writer or for readers
dataset             queries a dataset, in DuckDB's dialect
explanations        errors of dlt and the destinations, in a sentence
batch, row_size     what is loaded at once, and how large it is
appending           what is new to a dataset, appended by column; arrow_tables converts it
arrow_loader        rows by column in dlt's own load package, for DuckDB
duckdb_memory       how much memory DuckDB may use
dlt_settings        dlt's settings while this package uses it
"""
