"""The pure core: types, errors, geometry, tracking, groups, rules, episodes.

Nothing here does I/O, reads a clock, starts a thread or sees a pixel; time arrives as data in a `Stamp`.
"""
