"""The links of a message: found, looked at, numbered, and what authors say about them."""
