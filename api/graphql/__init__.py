"""The GraphQL door: a schema put together from the rooms, and the way a request takes through it.

`schema.py` adds the rooms; `permissions.py` says who may ask what; `door.py` and `websocket.py` take requests in;
`prepare.py` parses, limits and checks them once per text; `execution.py` and `plans.py` answer them.
"""
