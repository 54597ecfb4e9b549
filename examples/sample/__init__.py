"""A small application to share: what stands behind the links of a first try and of many tests.

It is the customer's application, not ours, so it knows nothing of Guestpass.
"""
