"""What is true about links, environments and passes.

Pure: no I/O, no clock, no chance. Time and randomness come in as arguments.
"""
