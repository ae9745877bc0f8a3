"""How results are printed.

console      standard output and standard error, tables, JSON, messages
tables       the tables for users
csv          CSV for spreadsheets
next_steps   what the demo proposes to look at next
"""
