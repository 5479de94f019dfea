"""The local preview engine: a deterministic animatic behind the service's own HTTP API.

An animatic is a moving storyboard of the references.
It stands in for the model wherever no key and no network are at hand; it is never the model's work, and says so in the
picture. It reads requests and never imports the client.
"""
