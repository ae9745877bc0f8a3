"""Analysis of a synced dataset: rules, views, waivers, findings, the change log and the data dictionary."""
