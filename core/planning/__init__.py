"""What the marketer plans: channel accounts, campaigns, deliveries as authored. Nothing is sent from here.

Owns `channel_account`, `campaign` and `delivery`. Whether a delivery may still be edited is for the room that
runs it to say (`core.delivery`); this room only writes what is asked, with a new version at every change.
"""
