"""`clarion demo`: the main job on real parts, watched from outside and checked to the last message.

`stage.py` starts the parts, `story.py` is the sequence, `crowd.py` plays the recipients, `checks.py` adds everything up.
"""
