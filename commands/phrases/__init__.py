"""Time as people say it: phrases of English and basic German to dates, times and repetitions. Pure; data and rules."""
