"""The Ray Tune side of a study: packs, workers, searcher, driver.

Its parts are imported where they are used: Ray takes a second to import.
"""
