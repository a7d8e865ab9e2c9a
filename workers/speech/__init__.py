"""Speech in the background: recordings to messages, answers read aloud, and audio that nobody needs any more."""
