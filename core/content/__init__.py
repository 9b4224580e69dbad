"""What a message says and how it is made personal.

Owns `content`. What authors write is checked when it is saved (`contents.py`, `validate.py`), turned into a
frozen description when a delivery is prepared (`compile.py`: links numbered, pixel and preheader in place,
text made from the HTML), and rendered by the channel plugin from that description alone, so that a mirror
page shows what was sent.
"""
