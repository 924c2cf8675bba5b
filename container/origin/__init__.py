"""The one process of ours in the container: it lets publishers in, makes renditions, packages and delivers them.

Who makes whom, and who outlives whom, from the longest-lived to the shortest:

=============  ====================  =====================================================================
what           made by               lives until
=============  ====================  =====================================================================
origin         the container         told to stop, and the last playlist has ended; or nginx or a chore dies
lease          the registry          released or run out; then another task may have the playback id
stream         the catalogue         its playlists ended a while ago, or another task has its id. One for each
                                     playback id, over all publish sessions: timeline, renditions, windows
session        the door              its publisher is gone. One for each time that somebody publishes; one
                                     after the other write into a stream
intake         its session           the source ends. One clock, known formats, bounds
generation     its session           the next one. Media of one kind: one initialisation section, one soundtrack
program        its session           the source changes, or what is copied and what is encoded of it. One for
                                     each generation
encoder        its program           its program retires, or it crashes or hangs: then the next, from the cache
segment, part  a rendition's         its window has moved on: twice as long as it was listed
               segmenter
=============  ====================  =====================================================================

Rooms, from the top (imports go down only, docs/adr/0022-the-origin-in-rooms.md): `app`; `ingest` and `delivery`;
`broadcast` and `cluster`; `packaging`; `media`; and what all stand on: `settings`, `logs`, `metrics`, `names`.
"""
