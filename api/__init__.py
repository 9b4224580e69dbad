"""The front door: GraphQL, public pages and callbacks, and the command line on top of them."""
