"""From pictures and sound to segments and playlists."""
