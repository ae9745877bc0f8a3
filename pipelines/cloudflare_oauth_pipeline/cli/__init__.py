"""The command line: options in, results on standard output, everything else on standard error.

commands    one function per command
options     the options that several commands share
durations   parses ages and dates
progress    shows the progress of a sync
output/     how results are printed
"""
