"""What the marketer plans: channel accounts, campaigns, deliveries as authored. Nothing is sent from here.

Owns `channel_account`, `campaign`, `delivery` with its traps and control group, and `holdout`. Whether a delivery may still be
edited is for the room that runs it to say (`core.delivery`); this room only writes what is asked, with a new version at every
change.
"""
