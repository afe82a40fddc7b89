"""Records as clients see them: the shapes of responses and of events. Changes only add fields: clients rely on them.

Amounts are integers of minor units, times are RFC 3339 in UTC.
"""
