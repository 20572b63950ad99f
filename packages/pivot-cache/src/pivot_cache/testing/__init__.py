"""Helpers for the tests of others.

`remote_contract` states what every remote must do; `power_cut` makes the states that a power cut may leave.
"""
