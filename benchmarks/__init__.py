"""Speed as ratios: what reading and the object model cost, against the least work possible.

``python -m benchmarks`` (or ``make bench``) makes its files, measures everything in one run, and
prints a table. See `benchmarks.measure` for what is measured and how.
"""
