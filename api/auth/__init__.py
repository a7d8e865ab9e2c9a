"""Who calls: tokens and the keys that verify them, and tickets for clients that cannot send headers."""
