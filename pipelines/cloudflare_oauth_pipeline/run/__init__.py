"""One sync, from the credentials to the summary.

early_reading  begins to read before dlt is imported
sync           opens, reads, compares, loads in batches, renews the views
batching       cuts an inventory into batches of whole accounts
summary        what a sync came to
shards         accounts divided among tokens, and what their syncs come to
access_check   which accounts the credentials may read
"""
