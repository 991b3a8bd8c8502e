"""Duplicates and contradictions in a folder of images that nobody has listed.

An image is followed in one direction: `features` are what it is known by again, `candidates` the
pairs worth a look, `alignment` decides whether one is the other moved, `groups` joins what was
decided, `objections` says what else is wrong, `page` shows it to a person.
"""
